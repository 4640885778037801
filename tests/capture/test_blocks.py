"""Files of recordings that were cut or damaged: the right rows, or an error, and never a crash."""

import random
import runpy
import sys
import zlib
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from tests.capture.recordings import Written

from tickwire.capture import Recording, blocks
from tickwire.capture.blocks import SCHEMA, BlockEncoder
from tickwire.errors import CaptureError

PAYLOADS = [b'{"n":%d}' % n * (n % 5) for n in range(40)]
A_BLOCK = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file of four blocks."""
    written = Written(tmp_path)
    for at in range(0, len(PAYLOADS), A_BLOCK):
        written.put(*PAYLOADS[at : at + A_BLOCK], recv_ns=at)
        written.write()
    [path] = written.finish()
    return path


def payloads(path: Path) -> list[bytes]:
    return [row.payload for _, row in Recording(path).rows()]


def test_other_tools_open_it_as_it_is(path: Path) -> None:
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    table.validate(full=True)
    assert table.schema.equals(SCHEMA)
    assert table.column("payload").to_pylist() == PAYLOADS
    assert pl.read_ipc_stream(path)["payload"].to_list() == PAYLOADS
    relation = duckdb.from_arrow(table)
    [found] = relation.aggregate("sum(octet_length(payload))").fetchall()
    assert found == (sum(map(len, PAYLOADS)),)


def test_every_cut_leaves_the_blocks_before_it(path: Path) -> None:
    data = path.read_bytes()
    ends = [block.offset + block.n_bytes for block in Recording(path)._files[0].content.blocks]
    rng = random.Random(3)
    near = {end + by for end in ends for by in (-1, 0, 1, 7, 8, 9, 80)}
    for cut in sorted({*near, *rng.sample(range(len(data)), 150)} & set(range(len(data)))):
        path.write_bytes(data[:cut])
        n_whole = sum(end <= cut for end in ends)
        assert payloads(path) == PAYLOADS[: n_whole * A_BLOCK], cut


def test_a_tail_of_zeros_is_a_torn_one(path: Path) -> None:
    data = path.read_bytes()
    last = Recording(path)._files[0].content.blocks[-1]
    path.write_bytes(data[: last.offset + 20] + bytes(last.n_bytes - 20))
    assert payloads(path) == PAYLOADS[:-A_BLOCK]


@pytest.mark.parametrize("share", [0.05, pytest.param(1.0, marks=pytest.mark.thorough)])
def test_every_byte_that_is_flipped_is_found(path: Path, share: float) -> None:
    data = path.read_bytes()
    rng = random.Random(1)
    n_errors = 0
    flipped = rng.sample(range(len(data)), int(share * len(data)))
    for at in flipped:
        damaged = bytearray(data)
        damaged[at] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert payloads(path) == PAYLOADS, at
        except CaptureError:
            n_errors += 1
    assert n_errors >= len(flipped) - 8  # all but the end mark


def test_damage_is_found_by_a_reader_of_a_part_too(path: Path) -> None:
    data = path.read_bytes()
    rng = random.Random(2)
    for at in rng.sample(range(len(data)), 100):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        try:
            rows = [row.payload for _, row in Recording(path, from_ns=12, to_ns=25).rows()]
        except CaptureError:
            continue
        assert rows == PAYLOADS[12:25], at


@pytest.mark.parametrize("text", [b"", b"\xff\xff\xff\xff", b"\xff" * 5000])
def test_what_may_be_a_torn_beginning_has_no_rows(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    assert payloads(path) == []


@pytest.mark.parametrize("text", [b"no recording at all", bytes(100)])
def test_what_is_no_recording_is_an_error(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    with pytest.raises(CaptureError, match="is no recording"):
        payloads(path)


def test_a_closed_file_of_other_columns_is_no_recording_of_this_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "SCHEMA", SCHEMA.remove(0))
        path.write_bytes(b"".join(BlockEncoder({}).schema_block()) + blocks.END)
    with pytest.raises(CaptureError, match="is no recording that this version can read"):
        payloads(path)


@pytest.mark.parametrize(("first_row", "n_rows"), [(-1, 1), (0, -1)])
def test_a_head_of_impossible_numbers_is_none_though_its_sums_are_right(
    first_row: int, n_rows: int
) -> None:
    stream = memoryview(BlockEncoder({})._stream(()))
    right, wrong = (
        b"".join(blocks._framed(stream, first, 0, 0, n))
        for first, n in ((0, 1), (first_row, n_rows))
    )
    assert blocks.read_head(right, 0, len(right)) is not None
    assert blocks.read_head(wrong, 0, len(wrong)) is None


def test_a_last_block_of_which_not_all_has_come_to_disk_is_torn(path: Path) -> None:
    data = path.read_bytes()
    last = Recording(path)._files[0].content.blocks[-1]
    end = last.offset + last.n_bytes
    path.write_bytes(data[: end - 10] + bytes(10))
    recording = Recording(path)
    assert [row.payload for _, row in recording.rows()] == PAYLOADS[:-A_BLOCK]
    assert recording.n_torn_bytes == last.n_bytes
    # Something stands where its end mark was, so the file was closed once.
    path.write_bytes(data[: end - 10] + bytes(10 + len(blocks.END)))
    with pytest.raises(CaptureError, match=f"damaged at byte {last.offset}"):
        payloads(path)


def test_a_file_that_is_cut_while_it_is_read_is_an_error(path: Path) -> None:
    recording = Recording(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CaptureError, match="has changed"):
        list(recording.rows())


def test_the_sums_of_zlib_are_those_of_its_faster_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zlib_ng.zlib_ng", None)  # as if it were not installed
    plain = runpy.run_path(str(blocks.__file__))
    assert plain["crc32"] is zlib.crc32
    written = b"".join(plain["BlockEncoder"]({"a": "b"}).schema_block())
    assert written == b"".join(BlockEncoder({"a": "b"}).schema_block())
    head = blocks.read_head(written, 0, len(written))
    assert head is not None
    assert blocks.is_whole(written)
    assert plain["read_head"](written, 0, len(written)) == head
