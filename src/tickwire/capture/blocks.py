"""Blocks of a recording: messages of an Arrow IPC stream, each of which says what it holds.

Rules of this file
------------------
- A file of a recording is an Arrow IPC stream, so that any tool opens it. Between a message's
  metadata and its body a trailer stands where Arrow allows padding: the block's length, the number
  of its first row, its times, its rows, and a CRC of all its bytes. The schema is such a block too.
- Nothing of a block is given to Arrow before its CRC is right.
- The end-of-stream mark says that a file was closed. Without it, what follows the last whole block
  is the torn end of a file whose writer was killed, unless whole blocks follow that, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from tickwire.errors import CaptureError

# The same sum at a fraction of the instructions, where `tickwire[fast]` is installed.
try:
    from zlib_ng.zlib_ng import crc32
except ImportError:
    from zlib import crc32

CONTINUATION = b"\xff\xff\xff\xff"
END = CONTINUATION + b"\0\0\0\0"
HEAD = struct.Struct("<4sI")  # the continuation mark, bytes of metadata with trailer
MAGIC = b"twblock1"
# Magic, bytes of the whole block, first row, first and last ts_recv, rows, bytes of metadata, CRC
# of the body, nothing; then a CRC of all before the body.
TRAILER = struct.Struct("<8sQqqqqIII")
CRC = struct.Struct("<I")
TRAILER_BYTES = TRAILER.size + CRC.size  # a multiple of 8, as Arrow's bodies are aligned
MOST_METADATA_BYTES = 1 << 20
ALIGNMENT = 8

SCHEMA = pa.schema(
    [
        pa.field("ts_recv", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("mono_ns", pa.int64(), nullable=False),
        pa.field("kind", pa.utf8(), nullable=False),
        pa.field("source", pa.int16(), nullable=False),
        pa.field("venue", pa.utf8(), nullable=False),
        pa.field("conn", pa.int32(), nullable=False),
        pa.field("endpoint", pa.utf8(), nullable=False),
        pa.field("read", pa.int64(), nullable=False),
        pa.field("opcode", pa.int8(), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
    ]
)


class Block(NamedTuple):
    """Where a block is, and what it holds.

    Parameters
    ----------
    offset, n_bytes
        In its file.
    first_row
        Number of its first row in its run.
    first_ns, last_ns
        Least and greatest `ts_recv`.
    n_rows
        How many rows; 0: the schema.
    """

    offset: int
    n_bytes: int
    first_row: int
    first_ns: int
    last_ns: int
    n_rows: int


class BlockEncoder:
    """Makes blocks out of record batches.

    Parameters
    ----------
    metadata
        For the schema.
    level
        Of zstd.
    """

    def __init__(self, metadata: dict[str, str], level: int = 1) -> None:
        self.schema = SCHEMA.with_metadata(metadata)
        codec = pa.Codec("zstd", compression_level=level)
        self._options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
        self._schema_bytes = self._stream(()).size

    def schema_block(self) -> list[bytes | memoryview]:
        """Give the block that begins a file."""
        return _framed(memoryview(self._stream(())), 0, 0, 0, 0)

    def block(
        self, batch: pa.RecordBatch, first_row: int, first_ns: int, last_ns: int
    ) -> list[bytes | memoryview]:
        """Give the block of a batch, in pieces to be written one behind the other."""
        stream = memoryview(self._stream((batch,)))[self._schema_bytes :]
        return _framed(stream, first_row, first_ns, last_ns, batch.num_rows)

    def _stream(self, batches: tuple[pa.RecordBatch, ...]) -> pa.Buffer:
        """Give schema and batches as Arrow writes them, without the end mark."""
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, self.schema, options=self._options) as writer:
            for batch in batches:
                writer.write_batch(batch)
        written = stream.getvalue()
        return written.slice(0, written.size - len(END))


def _framed(
    message: memoryview, first_row: int, first_ns: int, last_ns: int, n_rows: int
) -> list[bytes | memoryview]:
    """Put the trailer between the metadata of a message and its body."""
    _, n_metadata = HEAD.unpack_from(message)
    metadata = message[HEAD.size : HEAD.size + n_metadata]
    body = message[HEAD.size + n_metadata :]
    n_bytes = len(message) + TRAILER_BYTES
    head = HEAD.pack(CONTINUATION, n_metadata + TRAILER_BYTES)
    head += metadata.tobytes()
    head += TRAILER.pack(
        MAGIC, n_bytes, first_row, first_ns, last_ns, n_rows, n_metadata, crc32(body), 0
    )
    return [head + CRC.pack(crc32(head)), body]


def read_head(data: bytes | memoryview, offset: int, n_left: int) -> Block | None:
    """Read the head of a block; None where there is none, or not as it was written.

    Parameters
    ----------
    data
        From the beginning of the block, at least its metadata.
    offset
        Of the block in its file.
    n_left
        Bytes of the file from there on.
    """
    if len(data) < HEAD.size:
        return None
    mark, n_metadata = HEAD.unpack_from(data)
    end = HEAD.size + n_metadata
    if mark != CONTINUATION or not TRAILER_BYTES < n_metadata <= MOST_METADATA_BYTES:
        return None
    if len(data) < end:
        return None
    fields = TRAILER.unpack_from(data, end - TRAILER_BYTES)
    magic, n_bytes, first_row, first_ns, last_ns, n_rows, n_own, *_ = fields
    (crc,) = CRC.unpack_from(data, end - CRC.size)
    if (
        crc32(memoryview(data)[: end - CRC.size]) != crc
        or magic != MAGIC
        or n_own + TRAILER_BYTES != n_metadata
        or not end <= n_bytes <= n_left
    ):
        return None
    if first_row < 0 or n_rows < 0:
        return None
    return Block(offset, n_bytes, first_row, first_ns, last_ns, n_rows)


def is_whole(data: bytes | memoryview) -> bool:
    """Whether the body of a block, whose head is right, is as it was written."""
    view = memoryview(data)
    end = HEAD.size + HEAD.unpack_from(view)[1]
    *_, crc, _ = TRAILER.unpack_from(view, end - TRAILER_BYTES)
    return bool(crc32(view[end:]) == crc)


class FileIndex(NamedTuple):
    """The blocks of a file.

    Parameters
    ----------
    schema
        With the metadata of the run.
    blocks
        Those with rows; the CRCs of their bodies are looked at when they are read.
    n_torn
        Bytes behind the last one that are no block: of a writer that was killed, or goes on.
    is_closed
        Whether the file has its end mark.
    """

    schema: pa.Schema
    blocks: list[Block]
    n_torn: int
    is_closed: bool


def index_file(file: pa.NativeFile, name: str) -> FileIndex | None:
    """Find the blocks of a file; None where not even its schema is whole.

    Parameters
    ----------
    file
        Open for reading.
    name
        For errors.

    Raises
    ------
    CaptureError
        It is no recording, or is damaged before its last whole block.
    """
    size = file.size()
    first = read_head(_head_at(file, 0), 0, size)
    if first is None or first.n_rows or not is_whole(file.read_at(first.n_bytes, 0)):
        if any(_blocks_after(file, 0, size)):
            raise CaptureError(f"{name}: its beginning is damaged")
        if size >= HEAD.size and not file.read_at(HEAD.size, 0).startswith(CONTINUATION):
            raise CaptureError(f"{name}: is no recording")
        return None
    schema = pa.ipc.read_schema(pa.py_buffer(file.read_at(first.n_bytes, 0)))
    if not schema.equals(SCHEMA):
        raise CaptureError(f"{name}: is no recording that this version can read")
    blocks: list[Block] = []
    offset = first.n_bytes
    while offset < size:
        head = _head_at(file, offset)
        if head == END and offset + len(END) == size:
            return FileIndex(schema, blocks, 0, True)
        block = read_head(head, offset, size - offset)
        if block is None or block.n_rows == 0:
            if any(_blocks_after(file, offset, size)):
                raise CaptureError(f"{name}: damaged at byte {offset}, and whole behind it")
            if file.read_at(len(END), size - len(END)) == END:
                raise CaptureError(f"{name}: damaged at byte {offset}")
            break
        blocks.append(block)
        offset += block.n_bytes
    if blocks and offset >= size - len(END):
        # A file that is not closed may end in a block of which not all bytes have come to disk.
        last = blocks[-1]
        if not is_whole(file.read_at(last.n_bytes, last.offset)):
            if offset == size - len(END):  # it was followed by an end mark
                raise CaptureError(f"{name}: damaged at byte {last.offset}")
            blocks.pop()
            offset = last.offset
    return FileIndex(schema, blocks, size - offset, False)


def read_block(file: pa.NativeFile, block: Block, schema: pa.Schema, name: str) -> pa.RecordBatch:
    """Give the rows of a block.

    Raises
    ------
    CaptureError
        It is damaged.
    """
    data = file.read_at(block.n_bytes, block.offset)
    if len(data) != block.n_bytes or read_head(data, block.offset, block.n_bytes) != block:
        raise CaptureError(f"{name}: the block at byte {block.offset} has changed")
    if not is_whole(data):
        raise CaptureError(f"{name}: damaged at byte {block.offset}: a checksum does not match")
    return pa.ipc.read_record_batch(pa.py_buffer(data), schema)


def _head_at(file: pa.NativeFile, offset: int) -> bytes:
    """Give the metadata of what may be a block, or less."""
    data: bytes = file.read_at(HEAD.size, offset)
    if len(data) < HEAD.size:
        return data
    mark, n_metadata = HEAD.unpack(data)
    if mark != CONTINUATION or n_metadata > MOST_METADATA_BYTES:
        return data
    head: bytes = file.read_at(HEAD.size + n_metadata, offset)
    return head


def _blocks_after(file: pa.NativeFile, offset: int, size: int) -> Iterator[Block]:
    """Give the whole blocks behind a damaged place, wherever they begin."""
    data: bytes = file.read_at(size - offset, offset)
    at = data.find(MAGIC)
    while at >= 0:
        for start in _starts_before(data, at):
            head = data[start : at + TRAILER_BYTES]
            block = read_head(head, offset + start, size - offset - start)
            if block is not None and is_whole(data[start : start + block.n_bytes]):
                yield block
        at = data.find(MAGIC, at + 1)


def _starts_before(data: bytes, at: int) -> Iterator[int]:
    """Give the places before a trailer at which its block may begin."""
    if at + TRAILER_BYTES > len(data):
        return
    *_, n_own, _, _ = TRAILER.unpack_from(data, at)
    start = at - n_own - HEAD.size
    if start > 0:  # the damaged one itself is not whole
        yield start
