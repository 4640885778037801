from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from tests.reference import capture_path

from tickwire.capture import Capture, Message, RestAnswer, lines
from tickwire.errors import CaptureError


def write(path: Path, text: bytes) -> Path:
    if path.suffix == ".zst":
        text = zstandard.compress(text)
    path.write_bytes(text)
    return path


def answer(recv_ns: int, **more: object) -> bytes:
    return json.dumps({"recv_ns": recv_ns, "url": "http://x", "data": "{}"} | more).encode() + b"\n"


@pytest.mark.parametrize("ending", ["", ".zst"])
@pytest.mark.parametrize("meta_ending", ["", ".zst"])
def test_messages_have_the_times_and_connections_of_the_meta_file(tmp_path, ending, meta_ending):
    path = write(tmp_path / f"a.b.jsonl{ending}", b'{"x":1}\n\n  [2] \r\nnot json')
    write(tmp_path / f"a.b.meta.tsv{meta_ending}", b"# recv_ns\tconnection\n7\t3\n8\n8\t0\n9\t4\n")
    capture = Capture.open(path)
    assert capture.has_times
    assert capture.n_messages == 4
    assert list(capture.messages()) == [
        Message(1, 7, 3, b'{"x":1}'),
        Message(2, 8, 0, b""),
        Message(3, 8, 0, b"  [2] \r"),
        Message(4, 9, 4, b"not json"),
    ]
    assert list(capture.messages()) == list(capture.events())  # it can be read again
    assert capture.n_bytes_read == capture.n_bytes == path.stat().st_size


def test_without_a_meta_file_the_time_is_the_line(tmp_path):
    capture = Capture.open(str(write(tmp_path / "a.jsonl", b"a\nb\n")))
    assert not capture.has_times
    assert capture.n_messages is None
    assert list(capture.events()) == [Message(1, 1, 0, b"a"), Message(2, 2, 0, b"b")]


def test_an_empty_capture_has_no_events(tmp_path):
    capture = Capture.open(write(tmp_path / "a.jsonl", b""))
    assert list(capture.events()) == []


def test_answers_come_before_messages_of_the_same_or_a_later_time(tmp_path):
    path = write(tmp_path / "a.jsonl", b"a\nb\nc\n")
    write(tmp_path / "a.meta.tsv", b"# recv_ns\n10\n20\n30\n")
    # Not in order of time, as in a capture merged from several.
    write(
        tmp_path / "a.rest.jsonl.zst",
        answer(20, data="é", connection=2) + answer(9) + b"\n" + answer(21) + answer(31),
    )
    events = list(Capture.open(path).events())
    assert events == [
        RestAnswer(9, 0, "http://x", b"{}"),
        Message(1, 10, 0, b"a"),
        RestAnswer(20, 2, "http://x", "é".encode()),
        Message(2, 20, 0, b"b"),
        RestAnswer(21, 0, "http://x", b"{}"),
        Message(3, 30, 0, b"c"),
        RestAnswer(31, 0, "http://x", b"{}"),
    ]


def test_without_times_answers_come_first(tmp_path):
    path = write(tmp_path / "a.jsonl", b"a\nb\n")
    write(tmp_path / "a.rest.jsonl", answer(20) + answer(10))
    events = list(Capture.open(path).events())
    assert [type(event) for event in events] == [RestAnswer, RestAnswer, Message, Message]
    assert [event.recv_ns for event in events] == [10, 20, 1, 2]


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("ending", ["", ".zst"])
def test_lines_are_the_same_whatever_the_block(tmp_path, monkeypatch, block_bytes, ending):
    monkeypatch.setattr(lines, "BLOCK_BYTES", block_bytes)
    text = b"abc\n\nd\n" + b"e" * 20 + b"\n\n\nlast"
    capture = Capture.open(write(tmp_path / f"a.jsonl{ending}", text))
    assert [message.payload for message in capture.messages()] == text.split(b"\n")


def test_several_zstd_frames_are_one_file(tmp_path):
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstandard.compress(b"a\nb") + zstandard.compress(b"c\nd\n"))
    assert [message.payload for message in Capture.open(path).messages()] == [b"a", b"bc", b"d"]


def test_progress_is_known_while_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 100)
    capture = Capture.open(write(tmp_path / "a.jsonl", b"0123456789\n" * 100))
    seen = [capture.n_bytes_read for _ in capture.messages()]
    assert seen == sorted(seen)
    assert seen[0] == 100
    assert seen[-1] == capture.n_bytes == 1100


def refuses(path: Path, *parts: str) -> None:
    with pytest.raises(CaptureError) as error:
        list(Capture.open(path).events())
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_a_missing_file_is_named(tmp_path):
    refuses(tmp_path / "a.jsonl", f"{tmp_path}/a.jsonl: No such file")


def test_a_name_without_anything_is_said_to_be_that(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="there is no such file or folder"):
        Capture.open(tmp_path / "rec")


def test_a_folder_of_another_name_has_no_recording(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is a folder without a recording"):
        Capture.open(tmp_path)


def test_a_folder_is_no_capture(tmp_path):
    (tmp_path / "a.jsonl").mkdir()
    refuses(tmp_path / "a.jsonl", "a.jsonl: Is a directory")


def test_another_ending_is_refused(tmp_path):
    refuses(write(tmp_path / "a.json", b"{}"), "a.json: ", ".jsonl or .jsonl.zst")


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.meta.tsv.zst", "a.rest.jsonl.zst"])
def test_what_is_not_zstd_is_named(tmp_path, name):
    path = write(tmp_path / ("a.jsonl.zst" if name == "a.jsonl.zst" else "a.jsonl"), b"{}\n")
    (tmp_path / name).write_bytes(b"# recv_ns\n1\n")
    refuses(path, f"{name}: not zstd")


@pytest.mark.parametrize("n_lost", [1, 5, 100])
def test_a_truncated_zstd_file_is_an_error_after_its_last_line(tmp_path, monkeypatch, n_lost):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1000)
    path = tmp_path / "a.jsonl.zst"
    text = b"".join(b"%d\n" % (i * i * 7919) for i in range(100_000))
    path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(text)[:-n_lost])
    refuses(path, "a.jsonl.zst: after line ", "runcated")


def test_a_damaged_file_leaves_no_memory_behind(tmp_path):
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstandard.compress(b"{}\n" * 100)[:-5])
    tracemalloc.start()
    try:
        for n_tries in range(20):
            if n_tries == 10:
                before, _ = tracemalloc.get_traced_memory()
            refuses(path, "runcated")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < lines.BLOCK_BYTES


def test_damaged_zstd_is_an_error(tmp_path):
    path = tmp_path / "a.jsonl.zst"
    data = bytearray(zstandard.compress(b"".join(b"%d\n" % (i * 7919) for i in range(10_000))))
    data[len(data) // 2 :] = b"\xff" * len(data[len(data) // 2 :])
    path.write_bytes(data)
    refuses(path, "a.jsonl.zst: after line ")


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 100)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    path = write(tmp_path / "a.jsonl", b"x\n" + b"y" * 2000)
    refuses(path, "a.jsonl: line 2 is longer than 1000 bytes")


@pytest.mark.parametrize(
    ("meta", "parts"),
    [
        (b"# recv_ns\n1\n", ("a.meta.tsv: ends after 1 message,", "a.jsonl has a line 2")),
        (b"# recv_ns\n1\n2\n3\n", ("a time for message 3", "a.jsonl ends after line 2")),
        (b"# recv_ns\n1\nx\n", ("a.meta.tsv: line 3: 'x' is not a time",)),
        (b"# recv_ns\n1.5\n2\n", ("a.meta.tsv: line 2: '1.5' is not a time",)),
        (b"# recv_ns\n-1\n2\n", ("line 2: '-1'",)),
        (b"# recv_ns\n1_0\n2\n", ("line 2: '1_0'",)),
        (b"# recv_ns\n\n2\n", ("line 2: ''",)),
        (b"# recv_ns\n1\t\n2\n", ("line 2",)),
        (b"# recv_ns\n1\t2\t3\n2\n", ("line 2",)),
        (b"# recv_ns\n99999999999999999999\n2\n", ("line 2: the number is too large",)),
        (b"# recv_ns\n1\t2147483648\n2\n", ("line 2: the number is too large",)),
        (b"# recv_ns\n# again\n2\n", ("line 2: '# again'",)),
    ],
)
def test_a_wrong_meta_file_is_named_with_its_line(tmp_path, meta, parts):
    path = write(tmp_path / "a.jsonl", b"a\nb\n")
    write(tmp_path / "a.meta.tsv", meta)
    refuses(path, *parts)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"url": "u", "data": "d"}', "recv_ns is missing"),
        (b'{"recv_ns": 1.5, "url": "u", "data": "d"}', "recv_ns is missing or not an integer"),
        (b'{"recv_ns": true, "url": "u", "data": "d"}', "recv_ns is missing or not an integer"),
        (b'{"recv_ns": 1, "data": "d"}', "url is missing"),
        (b'{"recv_ns": 1, "url": "u"}', "data is missing"),
        (b'{"recv_ns": 1, "url": "u", "data": {}}', "data is missing or not a string"),
        (b'{"recv_ns": 1, "url": "u", "data": "d", "connection": "0"}', "connection is"),
        (b'{"recv_ns": 1, "url": "u", "data": "\\ud800"}', "data is not Unicode"),
        (b"\xff", "not JSON"),
    ],
)
def test_a_wrong_rest_line_is_named(tmp_path, line, part):
    path = write(tmp_path / "a.jsonl", b"a\n")
    write(tmp_path / "a.rest.jsonl", answer(1) + line + b"\n")
    refuses(path, "a.rest.jsonl: line 2: ", part)


@pytest.mark.captures
def test_the_merged_replay_is_read_whole_and_in_order():
    capture = Capture.open(capture_path("replay/binance-all6-20240808"))
    assert capture.n_messages == 332_194
    n_bytes = n_messages = n_answers = last_ns = 0
    connections = set()
    for event in capture.events():
        assert event.recv_ns >= last_ns
        last_ns = event.recv_ns
        connections.add(event.connection)
        if type(event) is Message:
            n_messages += 1
            n_bytes += len(event.payload)
        else:
            n_answers += 1
            assert event.url.startswith("https://")
            assert "lastUpdateId" in json.loads(event.data)
    assert (n_messages, n_bytes, n_answers) == (332_194, 91_503_950, 6)
    assert connections == set(range(6))


def captures() -> list[Path]:
    root = Path(os.environ.get("TICKWIRE_CAPTURES", "/nowhere"))
    found = [*root.glob("*/*.jsonl"), *root.glob("*/*.jsonl.zst")]
    return sorted(path for path in found if not {".rest", ".ctl"} & set(path.suffixes))


@pytest.mark.captures
@pytest.mark.parametrize("path", captures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_capture_has_the_lines_of_its_file(path):
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    meta = path.with_name(f"{path.name.partition('.jsonl')[0]}.meta.tsv")
    if meta.exists() and not meta.read_bytes().startswith(b"# recv_ns"):
        refuses(path, meta.name)  # it says where each message is from
        return
    capture = Capture.open(path)
    payloads = [event.payload for event in capture.events() if type(event) is Message]
    assert payloads == data.removesuffix(b"\n").split(b"\n")
    assert capture.n_messages in (None, len(payloads))
