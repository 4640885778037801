"""A ring's memory: one block that explains itself.

The layout is in ext/tickwire/ring/ring_block.h. This file lays a table out in it and lets Python
read it; it knows nothing of writers and consumers.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from tickwire.ring._memory cimport (
    TW_GATE_FREE,
    TW_GATES,
    TW_NAME_BYTES,
    TW_RING_MAGIC,
    TW_RING_VERSION,
    tw_mapping_new,
    tw_mapping_release,
    tw_column_entry,
    tw_ring_header,
)

import hashlib
import os

import numpy as np

from tickwire.schema import Kind

DTYPES = {
    Kind.I64: np.dtype(np.int64),
    Kind.I32: np.dtype(np.int32),
    Kind.F64: np.dtype(np.float64),
    Kind.TS: np.dtype(np.int64),
    Kind.BOOL: np.dtype(np.uint8),
    Kind.CODE16: np.dtype(np.int16),
    Kind.CODE32: np.dtype(np.int32),
    Kind.TEXT: np.dtype(np.int64),
    Kind.BINARY: np.dtype(np.int64),
}
TEXTS = (Kind.TEXT, Kind.BINARY)
MIN_ARENA_BYTES = 4096


def schema_hash(table):
    """Give 64 bits that differ for tables whose rows are stored differently.

    Parameters
    ----------
    table
        A `tickwire.schema.Table`.

    Returns
    -------
    int
        The same in every process.
    """
    columns = [f"{column.name}:{int(column.kind)}:{column.nullable}" for column in table.columns]
    text = "\n".join([table.name, *columns]).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


cdef class Block:
    """The memory of one ring; as a buffer, read-only bytes.

    Parameters
    ----------
    table
        The `tickwire.schema.Table` to lay out.
    rows
        How many rows, a power of two.
    seq_base
        The value of column seq in the first row.
    allocate
        Called with a number of bytes: gives the descriptor of a new file of that size, which holds
        the memory and outlives the process. Default: memory of the process.

    Attributes
    ----------
    layout : bytes
        What never changes: the header's first line and the directory.
    """

    def __cinit__(self, table not None, uint64_t rows, int64_t seq_base, allocate=None):
        cdef uint64_t end = sizeof(tw_ring_header)
        cdef int i

        def place(n_bytes):
            nonlocal end
            offset = end
            end = (end + n_bytes + 63) // 64 * 64
            return offset

        directory_offset = place(len(table.columns) * sizeof(tw_column_entry))
        recv_mono_offset = place(rows * 8)
        places = []
        for column in table.columns:
            offset = place(rows * DTYPES[column.kind].itemsize)
            if column.kind in TEXTS:
                arena_bytes = 1 << (max(rows * column.text_bytes, MIN_ARENA_BYTES) - 1).bit_length()
                valid_offset = place(rows) if column.nullable else 0
                places.append((column, offset, valid_offset, place(arena_bytes), arena_bytes))
            else:
                places.append((column, offset, 0, 0, 0))
        cdef int file = -1 if allocate is None else allocate(end)
        self.mapping = tw_mapping_new(end, file)
        if file >= 0:
            os.close(file)
        if self.mapping == NULL:
            raise MemoryError(f"no memory for a ring of {table.name}: {end} bytes")
        self.header = <tw_ring_header*> self.mapping.bytes
        self.directory = <tw_column_entry*> (self.mapping.bytes + <uint64_t> directory_offset)
        memcpy(self.header.magic, TW_RING_MAGIC, 8)
        self.header.version = TW_RING_VERSION
        self.header.n_columns = len(places)
        self.header.block_bytes = end
        self.header.capacity = rows
        self.header.seq_base = seq_base
        self.header.schema_hash = schema_hash(table)
        self.header.recv_mono_offset = recv_mono_offset
        self.header.directory_offset = directory_offset
        for i in range(TW_GATES):
            self.header.gates[i].value = TW_GATE_FREE
        cdef tw_column_entry* entry
        cdef bytes name
        for i, (column, offset, valid_offset, arena_offset, arena_bytes) in enumerate(places):
            entry = &self.directory[i]
            name = column.name.encode()
            if len(name) >= TW_NAME_BYTES:
                raise ValueError(f"column name too long: {column.name!r}")
            memcpy(entry.name, <const char*> name, len(name))
            entry.kind = int(column.kind)
            entry.nullable = column.nullable
            entry.offset = offset
            entry.valid_offset = valid_offset
            entry.arena_offset = arena_offset
            entry.arena_bytes = arena_bytes

    def __dealloc__(self):
        tw_mapping_release(self.mapping)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(
            view, self, self.mapping.bytes, <Py_ssize_t> self.mapping.n_bytes, True, flags
        )

    cdef uint8_t* at(self, uint64_t offset) noexcept nogil:
        return self.mapping.bytes + offset if offset != 0 else NULL

    def check(self, table not None, uint64_t rows):
        """See whether a ring of `table` can go on in this block.

        Parameters
        ----------
        table
            The `tickwire.schema.Table` of its rows.
        rows
            How many rows it should hold.

        Raises
        ------
        ValueError
            It has another version, table or size.
        """
        if self.header.magic[:8] != TW_RING_MAGIC[:8] or self.header.version != TW_RING_VERSION:
            raise ValueError(f"the block is no ring of version {TW_RING_VERSION}")
        if self.header.schema_hash != schema_hash(table):
            raise ValueError(f"the block holds rows of another table than {table.name}")
        if self.header.capacity != rows or self.header.block_bytes != self.mapping.n_bytes:
            raise ValueError(f"the block holds {self.header.capacity} rows, not {rows}")

    @property
    def layout(self):
        """What never changes: the header's first line and the directory."""
        cdef uint64_t start = self.header.directory_offset
        cdef uint64_t stop = start + self.header.n_columns * sizeof(tw_column_entry)
        return bytes(memoryview(self)[:64]) + bytes(memoryview(self)[start:stop])

    def views(self):
        """Give the columns as arrays, by what the block itself says.

        Returns
        -------
        dict of str to numpy.ndarray
            shape (capacity,), read-only, by name; of text its `ends`; and the hidden `recv_mono`.
        """
        cdef uint32_t i
        rows = self.header.capacity
        found = {}
        for i in range(self.header.n_columns):
            dtype = DTYPES[Kind(self.directory[i].kind)]
            name = (<bytes> self.directory[i].name).decode()
            found[name] = np.frombuffer(self, dtype, rows, self.directory[i].offset)
        found["recv_mono"] = np.frombuffer(self, np.int64, rows, self.header.recv_mono_offset)
        return found
