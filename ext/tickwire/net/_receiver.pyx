"""From bytes to messages: a fixed buffer, one clock reading per read, the frame parser.

Rules of this file
------------------
- A carrier either reads straight into the memory of `get_buffer` and then calls `buffer_updated`,
  or hands over bytes that it has with `receive_bytes` or `receive_frame`. Memory given out stays
  where it is until `buffer_updated` returns.
- The buffer starts over at its front whenever everything in it has been parsed. What is left is
  part of one frame (the parser takes larger frames piece by piece), so it is moved to the front at
  most once, and the next bytes land in memory that is still in cache.
- Under backpressure (`paused`), nothing is parsed: the carrier stops reading, and
  `retry` offers the same message again. Its times stay those of its read.
- Work in Python is done per read at most, never per message.
- Who was woken by what a read has brought may be resumed at its end (`_wakes`), where nothing is
  left to do for it: such a task may do anything, as it may in a callback of the loop.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memmove

from tickwire.net._wakes cimport begin_read, end_read, tw_reads
from tickwire.wire._builder cimport HEADER_BYTES, build_header
from tickwire.wire._handler cimport Handler
from tickwire.wire._parser cimport Parser

from tickwire import errors

cdef extern from "tickwire/base/clock.h":
    int64_t tw_wall_ns() noexcept nogil
    int64_t tw_mono_ns() noexcept nogil


@cython.final
cdef class Receiver:
    """The receive buffer of one connection, its parser and its handler.

    Parameters
    ----------
    handler
        What takes the messages.
    max_message_bytes
        Largest message, and largest payload of one frame.
    """

    def __cinit__(self):
        self.buffer = <uint8_t*>PyMem_Malloc(BUFFER_BYTES)
        if self.buffer == NULL:
            raise MemoryError
        self.spill = bytearray()
        self.whole_view = PyMemoryView_FromMemory(<char*>self.buffer, BUFFER_BYTES, PyBUF_WRITE)

    def __init__(self, handler: Handler, *, max_message_bytes: int = 16_777_216):
        self.handler = handler
        self.parser = Parser(
            max_frame=max_message_bytes, max_message=max_message_bytes
        )
        # A carrier that brings whole frames has read them before it can be stopped: at most
        # what its own buffer holds, a few messages or what the kernel had.
        self.max_spill_bytes = 4 * <size_t>max_message_bytes + 16_777_216

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    def start(self):
        """Parse what has come and everything that comes."""
        self.started = True
        if self.n_reads:
            self.parse()

    def get_buffer(self, Py_ssize_t sizehint=-1):
        """Give the memory for the next read; it stays fixed until `buffer_updated` returns."""
        return self.view()

    def buffer_updated(self, Py_ssize_t nbytes):
        """Parse what a read has put into that memory."""
        if nbytes < 0 or <size_t>nbytes > BUFFER_BYTES - self.end:
            raise ValueError(f"{nbytes} bytes were not asked for")
        self.note_read(<size_t>nbytes)

    def receive_bytes(self, data not None):
        """Parse bytes that a carrier has read.

        What does not fit while the handler blocks is kept beside the buffer, within a bound, so a
        carrier may finish what it has read already.
        """
        self.stamp()
        self.n_reads += 1
        cdef Py_buffer given
        PyObject_GetBuffer(data, &given, PyBUF_SIMPLE)
        try:
            self.store(<const uint8_t*>given.buf, <size_t>given.len)
        finally:
            PyBuffer_Release(&given)
        self.parse_read(True)

    def receive_frame(self, int first_byte, payload not None, bint first, bint last):
        """Take a frame whose header somebody else has read.

        The frame gets its header back and goes through the parser, so that the rules for
        fragments, reserved bits and UTF-8 are the same for every carrier. That costs a copy of
        the payload.

        Parameters
        ----------
        first_byte
            The first byte of the frame: FIN, the reserved bits and the opcode.
        payload
            Its payload, unmasked.
        first, last
            Whether it is the first and the last frame of its read.
        """
        cdef uint8_t header[HEADER_BYTES]
        cdef Py_buffer given
        cdef size_t n
        if first:
            self.stamp()
            self.n_reads += 1
        PyObject_GetBuffer(payload, &given, PyBUF_SIMPLE)
        try:
            n = <size_t>given.len
            self.store(header, build_header(header, <uint8_t>first_byte, n, NULL))
            self.store(<const uint8_t*>given.buf, n)
        finally:
            PyBuffer_Release(&given)
        if last:
            self.parse_read(True)

    def retry(self):
        """Offer the message that met backpressure again, and go on if it is taken.

        Returns
        -------
        bool
            Whether everything received has been parsed, so that the carrier may read on.
        """
        if self.paused:
            self.parse()
        return not self.paused

    def end_now(self):
        """Drop what has not been parsed, and parse nothing more."""
        self.ended = True
        self.paused = False
        self.head = self.end = 0
        self.drop_spilled()

    @property
    def unparsed_bytes(self):
        """Bytes received that wait to be parsed."""
        return self.end - self.head + <Py_ssize_t>self.n_spilled - self.spill_start

    cdef object view(self):
        """Memory for a read, behind the unfinished frame."""
        if self.head == self.end:
            self.head = self.end = 0
            return self.whole_view
        self.move_to_front()
        cdef size_t room = BUFFER_BYTES - self.end
        if room == 0:  # a carrier that reads on although it was asked to pause
            raise errors.TickwireError("the receive buffer is full and reading was not paused")
        return PyMemoryView_FromMemory(
            <char*>self.buffer + self.end, <Py_ssize_t>room, PyBUF_WRITE
        )

    cdef size_t find_room(self, uint8_t** at) noexcept:
        """Give how many bytes may be read, and where to."""
        if self.head == self.end:
            self.head = self.end = 0
        self.move_to_front()
        at[0] = self.buffer + self.end
        return BUFFER_BYTES - self.end

    cdef void move_to_front(self) noexcept nogil:
        """Move what has not been parsed to the front of the buffer."""
        if self.head:
            memmove(self.buffer, self.buffer + self.head, self.end - self.head)
            self.end -= self.head
            self.head = 0

    cdef int note_read(self, size_t n) except -1:
        self.stamp()
        self.n_reads += 1
        self.n_bytes += n
        self.end += n
        # After a large read the kernel may have more: consumers wake once for all of it.
        return self.parse_read(n < SMALL_READ_BYTES)

    cdef int parse_read(self, bint is_small) except -1:
        """Parse what a read has brought, and let the socket rest where it may."""
        if not self.started or self.paused:
            return 0
        if self.ended:
            self.head = self.end = 0
            return 0
        cdef tw_reads* reads = begin_read(<void*>self)
        self.feed_once()
        if self.ended or self.spill_start < self.n_spilled:
            self.parse_rest()
        if self.coalescer is None and not self.has_attention():  # nothing can fail
            end_read(reads, is_small)
            return 0
        try:
            return self.call_back()
        finally:
            end_read(reads, is_small)

    cdef int call_back(self) except -1:
        """Tell what a read has left to do, and let the socket rest where it may."""
        if self.has_attention():
            self.on_attention()
        if self.coalescer is None or self.ended:
            return 0
        if self.paused:
            return self.coalescer.pause()
        self.coalescer.after_read(
            <Py_ssize_t>(self.n_bytes - self.n_rested_bytes), self.mono_ns, self.parser.n_messages
        )
        self.n_rested_bytes = self.n_bytes
        return 0

    cdef void stamp(self) noexcept nogil:
        self.ts_recv_ns = tw_wall_ns()
        self.mono_ns = tw_mono_ns()

    cdef int store(self, const uint8_t* data, size_t n) except -1:
        """Append to what waits, parsing on the way where the buffer fills up."""
        cdef size_t piece
        cdef size_t kept
        self.n_bytes += n
        while n and not self.ended:
            if self.spill_start == self.n_spilled:
                if self.end == BUFFER_BYTES:
                    self.move_to_front()
                piece = min(n, BUFFER_BYTES - self.end)
                if piece:
                    memcpy(self.buffer + self.end, data, piece)
                    self.end += piece
                    data += piece
                    n -= piece
                    continue
                if self.started and not self.paused:
                    self.parse()
                    if self.head or self.end == 0 or self.ended:
                        continue
            kept = self.n_spilled
            if n > self.max_spill_bytes - min(kept, self.max_spill_bytes):
                raise errors.TickwireError("more came after reading was paused than can be kept")
            self.spill.extend(PyMemoryView_FromMemory(<char*>data, <Py_ssize_t>n, PyBUF_SIMPLE))
            self.n_spilled += n
            n = 0
        return 0

    cdef void refill(self) noexcept:
        """Move what was kept beside the buffer into it, as far as there is room."""
        cdef size_t n_kept = self.n_spilled
        self.move_to_front()
        cdef size_t piece = min(n_kept - self.spill_start, BUFFER_BYTES - self.end)
        memcpy(
            self.buffer + self.end,
            <uint8_t*>PyByteArray_AS_STRING(self.spill) + self.spill_start,
            piece,
        )
        self.end += piece
        self.spill_start += piece
        if self.spill_start == n_kept:
            self.drop_spilled()

    cdef int parse(self) except -1:
        """Parse all that has come, then tell what is left to do."""
        if self.ended:
            self.head = self.end = 0
            return 0
        self.feed_once()
        if self.ended or self.spill_start < self.n_spilled:
            self.parse_rest()
        if self.has_attention():
            self.on_attention()
        return 0

    cdef bint has_attention(self) noexcept:
        """Whether something is left to do for whom `on_attention` calls."""
        return self.on_attention is not None and (
            self.paused or self.ended or self.parser.has_control() or self.handler.has_events
        )

    cdef void drop_spilled(self) noexcept:
        self.spill = bytearray()
        self.spill_start = self.n_spilled = 0

    cdef void parse_rest(self) noexcept:
        """Parse what was kept beside the buffer; forget it after the end."""
        while self.spill_start < self.n_spilled and not (self.paused or self.ended):
            self.refill()
            self.feed_once()
        if self.ended:
            self.head = self.end = 0
            self.drop_spilled()

    cdef void feed_once(self) noexcept nogil:
        """Give the handler every message that is whole.

        Shape    bytes `head` to `end` of the buffer; what the parser takes is dropped.
        Units    times in ns, those of the last read.
        Returns  nothing; sets `paused` and `ended`.
        Threads  the loop's thread only.
        Memory   payloads are borrowed from the buffer until `on_message` returns.
        Source   docs/design.md, "From bytes to messages".
        """
        cdef Py_ssize_t n_taken
        self.handler.begin_read(self.ts_recv_ns, self.mono_ns)
        n_taken = self.parser.feed(self.buffer + self.head, self.end - self.head, self.handler)
        self.handler.end_read()
        self.head += <size_t>n_taken
        if self.head == self.end:
            self.head = self.end = 0
        self.paused = self.parser.blocked
        self.ended = self.parser.halted or self.parser.closed or self.parser.error != 0
