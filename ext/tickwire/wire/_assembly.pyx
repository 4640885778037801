"""The buffer in which a message is put together that cannot be read where it lies.

Its memory grows as bytes really come, never by what a header promises, and never past `limit`.
After a message it keeps at most `KEPT_BYTES`, so that one big message does not cost memory for
ever.
"""

cimport cython
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

cdef enum:
    FIRST_BYTES = 4096
    KEPT_BYTES = 1048576


@cython.final
cdef class Assembly:
    """Bytes of one message.

    Parameters
    ----------
    limit
        The most that it may hold, bytes.
    """

    def __cinit__(self, size_t limit):
        self.limit = limit

    def __dealloc__(self):
        free(self.data)

    cdef uint8_t* append(self, const uint8_t* source, size_t n) noexcept nogil:
        """Copy `n` bytes to the end.

        Shape    n bytes at `source`, which may lie anywhere but in this buffer.
        Units    bytes.
        Returns  where they are now, or NULL if they would pass `limit` or memory is out.
        Threads  the parser's own.
        Memory   grows the buffer when it is full; addresses given before are then void.
        Source   none.
        """
        cdef uint8_t* start
        if n > self.limit - self.size:
            return NULL
        if (self.size + n > self.capacity or self.data == NULL) and not self._grow(self.size + n):
            return NULL
        start = self.data + self.size
        memcpy(start, source, n)
        self.size += n
        return start

    cdef size_t reserve(self) noexcept nogil:
        """Make room for more at the end, for a caller that writes there and then sets `size`.

        Shape    none.
        Units    bytes.
        Returns  how much room there is behind `size`; 0 if `limit` is reached or memory is out.
        Threads  the parser's own.
        Memory   grows the buffer when it is full; addresses given before are then void.
        Source   none.
        """
        if self.size == self.capacity and (
            self.size == self.limit or not self._grow(self.size + 1)
        ):
            return 0
        return self.capacity - self.size

    # To `least` bytes or more; not past `limit`, which `least` must keep to.
    cdef bint _grow(self, size_t least) noexcept nogil:
        cdef uint8_t* grown
        cdef size_t capacity = self.capacity
        if least > KEPT_BYTES and capacity <= KEPT_BYTES:
            # The last step: untouched pages cost nothing, and a buffer that doubles
            # has old and new at once.
            grown = <uint8_t*> malloc(self.limit)
            if grown != NULL:
                if self.size:
                    memcpy(grown, self.data, self.size)
                free(self.data)
                self.data = grown
                self.capacity = self.limit
                return True
        if capacity < FIRST_BYTES:
            capacity = FIRST_BYTES
        while capacity < least:
            capacity = capacity * 2
        if capacity > self.limit:
            capacity = self.limit
        grown = <uint8_t*> realloc(self.data, capacity if capacity else 1)
        if grown == NULL:
            return False
        self.data = grown
        self.capacity = capacity
        return True

    cdef void clear(self) noexcept nogil:
        """Forget the message; give its memory back if it was a big one.

        Shape    none.
        Units    none.
        Returns  nothing.
        Threads  the parser's own.
        Memory   frees the buffer past KEPT_BYTES.
        Source   none.
        """
        self.size = 0
        if self.capacity > KEPT_BYTES:
            free(self.data)
            self.data = NULL
            self.capacity = 0

    @property
    def allocated_bytes(self):
        """The memory that it holds now."""
        return self.capacity

    def add(self, bytes piece not None):
        """Append `piece`; False if it would pass the limit."""
        return self.append(<const uint8_t*> piece, len(piece)) != NULL

    def take(self):
        """The bytes so far, as a new object; the buffer is empty after it."""
        cdef bytes whole = b"" if self.data == NULL else (<char*> self.data)[:self.size]
        self.clear()
        return whole
