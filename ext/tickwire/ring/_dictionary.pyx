"""Strings and their codes.

Rules of this file
------------------
- A code, once given, keeps its meaning; values are only added, up to the bounds.
- One thread looks up and adds (the writer). Any thread may read the values below `count`.
- Values are stored as Arrow stores utf8, so that export borrows and never builds.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from tickwire.ring._memory cimport (
    tw_load_acquire,
    tw_mapping_new,
    tw_mapping_open,
    tw_mapping_release,
    tw_store_release,
)
from tickwire.ring._tw_ring cimport TW_NO_VALUES, tw_add_to_sum, tw_dictionary_header

import os
from functools import partial

import pyarrow as pa

from tickwire.errors import DictionaryFull

cdef extern from "tickwire/base/hash.h" nogil:
    uint64_t tw_hash(const uint8_t* data, size_t n, uint64_t seed)

cdef extern from "tickwire/base/failpoint.h" nogil:
    void TW_REACH(const char* point)

cdef extern from "tickwire/base/utf8_scalar.h" nogil:
    bint tw_is_utf8(const uint8_t* data, size_t n)

cdef enum:
    MAX_VALUE_BYTES = 255
    FIRST_SLOTS = 256

# int16 codes reach this far; only `symbol` has int32 codes.
MAX_CODES16 = 32767
MAX_SYMBOLS = 65536


cdef class Values:
    """Strings by their codes: those of a dictionary, or of one that another process writes.

    Parameters
    ----------
    file
        Of a dictionary, open to be read.
    max_values
        How many different strings it takes.

    Raises
    ------
    ValueError
        It is not such a file.
    """

    def __init__(self, int file, int32_t max_values):
        self.borrow(file, os.fstat(file).st_size, max_values)

    def __dealloc__(self):
        tw_mapping_release(self.memory.mapping)

    cdef int borrow(self, int file, size_t n_bytes, int32_t max_values) except -1:
        cdef size_t values_at = sizeof(tw_dictionary_header)
        cdef size_t data_at = values_at + (<size_t> max_values + 1) * 4
        if max_values < 1 or n_bytes < data_at:
            raise ValueError("is cut")
        self.memory.mapping = tw_mapping_open(n_bytes, file)
        if self.memory.mapping == NULL:
            raise MemoryError("no memory for a dictionary")
        self.memory.header = <tw_dictionary_header*> self.memory.mapping.bytes
        if self.memory.header.max_values != max_values:
            raise ValueError("its header is damaged")
        self.max_values = max_values
        self.memory.count = &self.memory.header.count
        self.memory.offsets = <int32_t*> (self.memory.mapping.bytes + values_at)
        self.memory.data = self.memory.mapping.bytes + data_at
        return 0

    def value(self, int64_t code):
        """Give the string that `code` stands for.

        Parameters
        ----------
        code
            A code that was given.

        Returns
        -------
        str
            Its string.

        Raises
        ------
        IndexError
            No string has this code.
        """
        if not 0 <= code < tw_load_acquire(self.memory.count):
            raise IndexError(f"no value has code {code}")
        cdef int32_t start = self.memory.offsets[code]
        cdef bytes text = self.memory.data[start:self.memory.offsets[code + 1]]
        return text.decode(errors="replace")

    def __len__(self):
        return tw_load_acquire(self.memory.count)

    def to_arrow(self):
        """Copy the values into an Arrow array.

        Returns
        -------
        pyarrow.StringArray
            shape (len,), utf8; the value of code c at index c.
        """
        cdef int64_t n = tw_load_acquire(self.memory.count)
        offsets = (<const uint8_t*> self.memory.offsets)[:(n + 1) * 4]
        text = self.memory.data[:self.memory.offsets[n]]
        return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))


cdef class Dictionary(Values):
    """Strings and the codes that stand for them.

    Parameters
    ----------
    max_values
        How many different strings it takes.
    max_bytes
        How many bytes they have together; default: 32 for each.
    allocate
        Called with a number of bytes: gives the descriptor of a new file of that size, which holds
        the values and outlives the process. Default: memory of the process.
    """

    def __cinit__(self, int32_t max_values=MAX_CODES16, max_bytes=None, allocate=None):
        if max_values < 1:
            raise ValueError(f"max_values is {max_values}: at least 1")
        self.max_values = max_values
        self.max_bytes = <int64_t> max_values * 32 if max_bytes is None else max_bytes
        if not 0 < self.max_bytes < 2**31:
            raise ValueError(f"max_bytes is {self.max_bytes}: 1 to {2**31 - 1}")
        cdef size_t n_offset_bytes = (<size_t> max_values + 1) * 4
        cdef size_t n_bytes = (
            sizeof(tw_dictionary_header) + n_offset_bytes + <size_t> self.max_bytes
        )
        cdef int file = -1 if allocate is None else allocate(n_bytes)
        self.memory.mapping = tw_mapping_new(n_bytes, file)
        if file >= 0:
            os.close(file)
        self.slots = <uint64_t*> calloc(FIRST_SLOTS, sizeof(uint64_t))
        if self.memory.mapping == NULL or self.slots == NULL:
            raise MemoryError("no memory for a dictionary")
        self.slot_mask = FIRST_SLOTS - 1
        cdef uint8_t* values = self.memory.mapping.bytes + sizeof(tw_dictionary_header)
        self.memory.header = <tw_dictionary_header*> self.memory.mapping.bytes
        self.memory.header.max_values = max_values
        self.memory.header.sums[0] = TW_NO_VALUES
        self.memory.count = &self.memory.header.count
        self.memory.offsets = <int32_t*> values
        self.memory.data = values + n_offset_bytes
        self.last = -1
        self.seed = int.from_bytes(os.urandom(8), "little")

    def __init__(self, *args, **kwargs):
        pass

    def __dealloc__(self):
        free(self.slots)

    cdef int32_t lookup(self, const uint8_t* value, size_t n) noexcept nogil:
        """The code of `value`, a new one for a new string.

        Shape    value: n bytes, UTF-8.
        Units    code = order of first appearance, first 0.
        Returns  the code; -1 where the dictionary is full, n > 255 or a new value is not UTF-8.
        Threads  writer only.
        Memory   none allocated for a known string; value is copied when new.
        Source   open addressing with linear probing; last hit first, for venues send in runs.
        """
        cdef int32_t code = self.last
        cdef const int32_t* offsets = self.memory.offsets
        if (
            code >= 0
            and <size_t> (offsets[code + 1] - offsets[code]) == n
            and memcmp(self.memory.data + offsets[code], value, n) == 0
        ):
            return code
        cdef uint64_t hash = tw_hash(value, n, self.seed)
        cdef uint32_t at = <uint32_t> hash & self.slot_mask
        cdef uint64_t slot = self.slots[at]
        while slot != 0:
            if (slot >> 32) == (hash >> 32):
                code = <int32_t> <uint32_t> slot - 1
                if (
                    <size_t> (offsets[code + 1] - offsets[code]) == n
                    and memcmp(self.memory.data + offsets[code], value, n) == 0
                ):
                    self.last = code
                    return code
            at = (at + 1) & self.slot_mask
            slot = self.slots[at]
        return self.insert(value, n, hash)

    cdef int32_t insert(self, const uint8_t* value, size_t n, uint64_t hash) noexcept nogil:
        cdef int64_t code = self.memory.count[0]
        cdef int64_t start = self.memory.offsets[code]
        if code >= self.max_values or n > MAX_VALUE_BYTES:
            return -1
        if start + <int64_t> n > self.max_bytes or not tw_is_utf8(value, n):
            return -1
        if (code + 1) * 2 > <int64_t> self.slot_mask and not self.grow():
            return -1
        cdef uint32_t at = <uint32_t> hash & self.slot_mask
        while self.slots[at] != 0:
            at = (at + 1) & self.slot_mask
        self.slots[at] = (hash >> 32 << 32) | <uint64_t> (code + 1)
        memcpy(self.memory.data + start, value, n)
        self.memory.offsets[code + 1] = <int32_t> (start + <int64_t> n)
        cdef uint64_t* sums = self.memory.header.sums
        sums[(code + 1) & 1] = tw_add_to_sum(sums[code & 1], value, n)
        TW_REACH("value")
        # Partner: the acquire of the exports and readers of the values.
        tw_store_release(self.memory.count, code + 1)
        self.last = <int32_t> code
        return <int32_t> code

    cdef bint grow(self) noexcept nogil:
        cdef uint32_t mask = self.slot_mask * 2 + 1
        cdef uint64_t* slots = <uint64_t*> calloc(<size_t> mask + 1, sizeof(uint64_t))
        if slots == NULL:
            return False
        cdef int64_t code
        cdef uint64_t hash
        cdef uint32_t at
        for code in range(self.memory.count[0]):
            hash = tw_hash(
                self.memory.data + self.memory.offsets[code],
                <size_t> (self.memory.offsets[code + 1] - self.memory.offsets[code]),
                self.seed,
            )
            at = <uint32_t> hash & mask
            while slots[at] != 0:
                at = (at + 1) & mask
            slots[at] = (hash >> 32 << 32) | <uint64_t> (code + 1)
        free(self.slots)
        self.slots = slots
        self.slot_mask = mask
        return True

    def code(self, str value):
        """Give the code of `value`, a new one where it has none.

        Parameters
        ----------
        value
            The string.

        Returns
        -------
        int
            Its code, the same for ever.

        Raises
        ------
        DictionaryFull
            The dictionary is full, or the value is longer than 255 bytes.
        """
        cdef bytes text = value.encode()
        cdef int32_t code = self.lookup(<const uint8_t*> text, len(text))
        if code < 0:
            raise DictionaryFull(
                f"no code for {value[:60]!r}: the dictionary has {len(self)} of "
                f"{self.max_values} values, each of at most {MAX_VALUE_BYTES} bytes"
            )
        return code

cdef class Dictionaries:
    """The dictionaries of one feed, shared by its rings: a column's name finds its dictionary.

    Parameters
    ----------
    max_symbols
        How many symbols the feed takes, over all venues.
    allocate
        Called with a column's name and a number of bytes, as for `Dictionary`.

    Attributes
    ----------
    venue : Dictionary
        Venues.
    symbol : Dictionary
        Symbols, each venue's own spelling.
    """

    def __init__(self, int32_t max_symbols=MAX_SYMBOLS, allocate=None):
        self.allocate = allocate
        self.named = {}
        self.venue = self.of("venue")
        self.symbol = self.named["symbol"] = self.make("symbol", max_symbols)

    cdef Dictionary make(self, str name, int32_t max_values):
        allocate = None if self.allocate is None else partial(self.allocate, name)
        return Dictionary(max_values, allocate=allocate)

    cpdef Dictionary of(self, str name):
        """Give the dictionary of the columns called `name`, made when first asked for.

        Parameters
        ----------
        name
            A code column's name, the same in every table.

        Returns
        -------
        Dictionary
            The one dictionary of that name.
        """
        found = self.named.get(name)
        if found is None:
            found = self.named[name] = self.make(name, MAX_CODES16)
        return found

    @property
    def names(self):
        """Of the columns that have one so far."""
        return tuple(self.named)
