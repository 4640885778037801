"""What a venue really sent: each of Huobi's frames is a binary one, packed with gzip."""

import base64

import pytest
import zstandard
from tests.reference.captures import capture_path, read_messages
from websockets.frames import Frame, Opcode

from tickwire.wire import FrameParser, Inflater, Message

CAPTURES = ["huobi/cf-huobi-20210417-ws44", "huobi/cf-huobi_linear_swap-20220217-ws1"]


def packed_frames(name: str) -> list[bytes]:
    """The payloads as they were on the wire."""
    path = capture_path(name)
    stem = path.name.partition(".jsonl")[0]
    plain = path.with_name(f"{stem}.frames.b64")
    if plain.exists():
        data = plain.read_bytes()
    else:
        with plain.with_name(f"{plain.name}.zst").open("rb") as file:
            data = zstandard.ZstdDecompressor().stream_reader(file).read()
    return [base64.b64decode(line) for line in data.splitlines()]


@pytest.mark.captures
@pytest.mark.parametrize("name", CAPTURES)
def test_every_frame_gives_its_text(name: str) -> None:
    packed = packed_frames(name)
    texts = [message.payload for message in read_messages(name)]
    assert len(packed) == len(texts) > 0
    stream = b"".join(Frame(Opcode.BINARY, each).serialize(mask=False) for each in packed)
    for pieces in ([len(stream)], [4096] * (len(stream) // 4096 + 1)):
        parser = FrameParser()
        parser.unpack_binary("gzip")
        found = []
        start = 0
        for size in pieces:
            found += parser.receive(stream[start : start + size])
            start += size
        assert found == [Message(2, text) for text in texts]


@pytest.mark.captures
@pytest.mark.parametrize("name", CAPTURES)
def test_a_frame_cut_short_is_never_taken_for_whole(name: str) -> None:
    inflater = Inflater(1 << 20, form="gzip")
    for payload, message in list(zip(packed_frames(name), read_messages(name), strict=True))[:20]:
        assert inflater.decompress(payload) == message.payload
        parser = FrameParser()
        parser.unpack_binary("gzip")
        for end in (len(payload) // 2, len(payload) - 1):
            frame = Frame(Opcode.BINARY, payload[:end]).serialize(mask=False)
            assert parser.receive(frame) == [Message(2, payload[:end])]
