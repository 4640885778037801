"""The memory between the event loop, which records, and the thread that writes recordings.

Rules of this file
------------------
- One thread puts, another takes: the loop writes `published`, the writer `released`, neither waits.
- All memory is there before the first message: a ring of rows, column by column, and a ring of
  payload bytes. A message costs one copy; nothing is allocated, and no Python object is made.
- The loop never waits for the writer. What does not fit is dropped and counted, and the next row
  that fits is one that says how much.
- A payload lies in one piece: one that would wrap begins at the front of the ring of bytes. Where
  the writer has everything, the next payload begins there too, so that memory stays in cache.
"""

import mmap
from contextlib import suppress

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset, strlen

cdef extern from "tickwire/base/atomics.h":
    int64_t tw_load_acquire(const int64_t* word) noexcept nogil
    void tw_store_release(int64_t* word, int64_t value) noexcept nogil

cdef enum:
    LINE_BYTES = 64           # the loop's word and the writer's share no cache line
    BYTES_A_ROW = 256         # of payload; rows are smaller in a feed that fills its rows first
    SMALLEST_BYTES = 1 << 16
    DROP_TEXT_BYTES = 96

_WIDTHS = (8, 8, 8, 8, 4, 4, 4, 1, 1)


@cython.final
cdef class RecordBuffer:
    """A bounded queue of rows of a recording.

    Parameters
    ----------
    n_bytes
        For payloads, a power of two, at least 65,536. For each 256 of them there is a row.

    Raises
    ------
    ValueError
        If `n_bytes` is not one.
    """

    def __init__(self, n_bytes: int = 67_108_864):
        if n_bytes < SMALLEST_BYTES or n_bytes & (n_bytes - 1):
            raise ValueError(f"n_bytes must be a power of two, at least 65536, not {n_bytes}")
        self.n_bytes = n_bytes
        self.capacity = n_bytes // BYTES_A_ROW
        self.memory = mmap.mmap(-1, 2 * LINE_BYTES + self.capacity * sum(_WIDTHS) + n_bytes)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without them
                self.memory.madvise(mmap.MADV_HUGEPAGE)
        cdef Py_buffer view
        PyObject_GetBuffer(self.memory, &view, PyBUF_WRITABLE)
        cdef uint8_t* at = <uint8_t*>view.buf
        # All pages are there before the first message: else the loop would wait for each of them.
        memset(at, 0, view.len)
        PyBuffer_Release(&view)  # it stays where it is: `memory` is never closed or resized
        self.published = <int64_t*>at
        self.released = <int64_t*>(at + LINE_BYTES)
        at += 2 * LINE_BYTES
        self.recv_ns = <int64_t*>at
        self.mono_ns = self.recv_ns + self.capacity
        self.read = self.mono_ns + self.capacity
        self.begin = <uint64_t*>(self.read + self.capacity)
        self.size = <uint32_t*>(self.begin + self.capacity)
        self.conn = <int32_t*>(self.size + self.capacity)
        self.origin = self.conn + self.capacity
        self.kind = <int8_t*>(self.origin + self.capacity)
        self.opcode = self.kind + self.capacity
        self.payloads = <uint8_t*>(self.opcode + self.capacity)

    # The loop's side.

    cdef bint put(
        self,
        int kind,
        int opcode,
        int32_t conn,
        int32_t origin,
        int64_t read,
        int64_t recv_ns,
        int64_t mono_ns,
        const uint8_t* payload,
        size_t n,
    ) noexcept nogil:
        """Add a row; the writer sees it from `publish` on.

        Shape    payload: n bytes, copied.
        Units    times in ns.
        Returns  False where it does not fit and was dropped.
        Threads  the loop's alone.
        Memory   none allocated.
        Source   none.
        """
        if self.is_suspended and kind == Kind.MESSAGE:
            self.drop(recv_ns, mono_ns, n)
            return False
        # Both or neither: else the last bytes would be filled with rows about what is dropped.
        if not self.find_room(n + DROP_TEXT_BYTES if self.pending_messages else n, 2):
            self.drop(recv_ns, mono_ns, n)
            return False
        if self.pending_messages:
            self.put_drops()
        self.place(kind, opcode, conn, origin, read, recv_ns, mono_ns, payload, n)
        if kind == Kind.MESSAGE:
            self.n_messages += 1
            self.n_message_bytes += <int64_t>n
        return True

    cdef void publish(self) noexcept nogil:
        """Let the writer have all rows so far.

        Shape    none.
        Units    none.
        Returns  nothing.
        Threads  the loop's alone; release, which `take` acquires.
        Memory   none.
        Source   none.
        """
        tw_store_release(self.published, self.next)

    # Whether rows of n bytes together fit, in one piece. Where the writer has everything, that
    # begins at the front.
    cdef bint find_room(self, size_t n, int64_t n_rows) noexcept nogil:
        cdef uint64_t start, tail
        cdef uint64_t offset
        cdef bint is_fresh = False
        if n > self.n_bytes:
            return False
        while True:
            if self.released_seen == self.next:
                if self.position & (self.n_bytes - 1):
                    self.position += self.n_bytes - (self.position & (self.n_bytes - 1))
                return True
            offset = self.position & (self.n_bytes - 1)
            start = self.position
            if offset + n > self.n_bytes:
                start += self.n_bytes - offset
            tail = self.begin[self.released_seen & (self.capacity - 1)]
            if (
                self.next - self.released_seen + n_rows <= self.capacity
                and start + n - tail <= self.n_bytes
            ):
                self.position = start
                return True
            if is_fresh:
                return False
            self.released_seen = tw_load_acquire(self.released)
            is_fresh = True

    cdef void place(
        self,
        int kind,
        int opcode,
        int32_t conn,
        int32_t origin,
        int64_t read,
        int64_t recv_ns,
        int64_t mono_ns,
        const uint8_t* payload,
        size_t n,
    ) noexcept nogil:
        cdef int64_t row = self.next & (self.capacity - 1)
        if n:  # without a payload there may be no pointer
            memcpy(self.payloads + (self.position & (self.n_bytes - 1)), payload, n)
        self.recv_ns[row] = recv_ns
        self.mono_ns[row] = mono_ns
        self.read[row] = read
        self.begin[row] = self.position
        self.size[row] = <uint32_t>n
        self.conn[row] = conn
        self.origin[row] = origin
        self.kind[row] = <int8_t>kind
        self.opcode[row] = <int8_t>opcode
        self.position += n
        self.next += 1

    # The row that says what was dropped; False where it does not fit either.
    cdef bint put_drops(self) noexcept nogil:
        cdef char text[DROP_TEXT_BYTES]
        cdef size_t n
        snprintf(
            text,
            DROP_TEXT_BYTES,
            b'{"messages":%lld,"bytes":%lld}',
            <long long>self.pending_messages,
            <long long>self.pending_bytes,
        )
        n = strlen(text)
        if not self.find_room(n, 1):
            return False
        self.place(
            Kind.DROPPED, 0, -1, -1, 0, self.pending_recv_ns, self.pending_mono_ns,
            <const uint8_t*>text, n,
        )
        self.pending_messages = self.pending_bytes = 0
        return True

    cdef void drop(self, int64_t recv_ns, int64_t mono_ns, size_t n) noexcept nogil:
        if self.pending_messages == 0:
            self.pending_recv_ns = recv_ns
            self.pending_mono_ns = mono_ns
        self.pending_messages += 1
        self.pending_bytes += <int64_t>n
        self.n_dropped_messages += 1
        self.n_dropped_bytes += <int64_t>n

    def add(
        self,
        int kind,
        payload not None,
        *,
        int opcode = 0,
        int conn = -1,
        int origin = -1,
        int64_t read = 0,
        int64_t recv_ns = 0,
        int64_t mono_ns = 0,
    ):
        """Add a row that is no message of the hot path, and publish; in the loop's thread.

        Returns
        -------
        bool
            False where it does not fit and was dropped.
        """
        cdef const uint8_t[::1] view = payload
        cdef const uint8_t* at = NULL
        if len(view):
            at = &view[0]
        cdef bint is_put = self.put(
            kind, opcode, conn, origin, read, recv_ns, mono_ns, at, <size_t>len(view)
        )
        self.publish()
        return is_put

    def end(self):
        """Add the row that says what was dropped, where something was; at the end of a feed."""
        if self.pending_messages:
            self.put_drops()
            self.publish()

    # The writer's side.

    @property
    def waiting(self):
        """Rows that the writer may take."""
        return tw_load_acquire(self.published) - tw_load_acquire(self.released)

    @property
    def waiting_bytes(self):
        """Bytes of their payloads, and of what was left out between them; for the writer."""
        cdef int64_t first = self.released[0]
        cdef int64_t last = tw_load_acquire(self.published) - 1
        cdef int64_t mask = self.capacity - 1
        if last < first:
            return 0
        return self.begin[last & mask] + self.size[last & mask] - self.begin[first & mask]

    def take(self, int64_t max_bytes):
        """Give the oldest rows, without a copy: they stay until `release`.

        Parameters
        ----------
        max_bytes
            Of payloads, unless one row alone has more.

        Returns
        -------
        tuple or None
            Number of the first row, number of rows, then as buffers: recv_ns, mono_ns, read, conn,
            origin, kind, opcode, offsets of the payloads (int32, one more), payloads.
        """
        cdef int64_t first = self.released[0]
        cdef int64_t last = tw_load_acquire(self.published)
        cdef int64_t mask = self.capacity - 1
        if last == first:
            return None
        last = min(last, (first & ~mask) + self.capacity)
        cdef uint64_t begin = self.begin[first & mask]
        cdef uint64_t end = begin
        offsets = PyBytes_FromStringAndSize(NULL, (last - first + 1) * 4)
        cdef int32_t* offset = <int32_t*>PyBytes_AS_STRING(offsets)
        cdef int64_t row = first
        with nogil:
            while row < last:
                # A payload that ends with the memory has its successor at the front, too.
                if row > first and (
                    self.begin[row & mask] != end
                    or (end > begin and end & (self.n_bytes - 1) == 0)
                    or end + self.size[row & mask] - begin > <uint64_t>max_bytes
                ):
                    break
                offset[row - first] = <int32_t>(end - begin)
                end += self.size[row & mask]
                row += 1
            offset[row - first] = <int32_t>(end - begin)
        cdef Py_ssize_t n = row - first
        at = first & mask
        return (
            first,
            n,
            self._piece(self.recv_ns, at, n, 8),
            self._piece(self.mono_ns, at, n, 8),
            self._piece(self.read, at, n, 8),
            self._piece(self.conn, at, n, 4),
            self._piece(self.origin, at, n, 4),
            self._piece(self.kind, at, n, 1),
            self._piece(self.opcode, at, n, 1),
            offsets,
            self._piece(self.payloads, <Py_ssize_t>(begin & (self.n_bytes - 1)), end - begin, 1),
        )

    def release(self, int64_t n):
        """Let the loop have the memory of the n oldest rows."""
        tw_store_release(self.released, self.released[0] + n)

    cdef object _piece(self, void* column, Py_ssize_t at, Py_ssize_t n, Py_ssize_t width):
        cdef Py_ssize_t start = <uint8_t*>column - <uint8_t*>self.published + at * width
        return memoryview(self.memory)[start : start + n * width]
