"""The receive buffer of one connection and the way from it to the handler."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from tickwire.net._coalescer cimport Coalescer
from tickwire.wire._handler cimport Handler
from tickwire.wire._parser cimport Parser

cdef enum:
    # The receive buffer; never grows. A read may fill it: it is small enough to be in cache still
    # when it is parsed, and large enough for few system calls.
    BUFFER_BYTES = 262_144
    SMALL_READ_BYTES = 65_536   # a read of fewer has left nothing in the kernel


@cython.final
cdef class Receiver:
    cdef uint8_t* buffer           # owned, BUFFER_BYTES
    cdef size_t head               # first byte not parsed yet
    cdef size_t end                # past the last byte received
    cdef bytearray spill           # what came while the buffer was full; see `receive_bytes`
    cdef size_t spill_start        # first byte of `spill` that is not in `buffer` yet
    cdef size_t n_spilled          # bytes in `spill`
    cdef size_t max_spill_bytes
    cdef object whole_view         # of `buffer`, made once

    cdef readonly Parser parser
    cdef readonly Handler handler
    # Called without arguments after a parse that leaves something to do: control frames, events of
    # the handler, or one of the flags below.
    cdef public object on_attention
    cdef public Coalescer coalescer    # lets the socket rest between reads; None: it never does
    cdef int64_t n_rested_bytes        # what `coalescer` knows of `n_bytes`

    cdef readonly int64_t ts_recv_ns   # wall clock of the last read, ns since the epoch
    cdef readonly int64_t mono_ns      # monotonic clock of the last read, ns
    cdef readonly int64_t n_reads
    cdef readonly int64_t n_bytes
    cdef readonly bint started         # before it, bytes are kept and not parsed
    cdef readonly bint paused          # backpressure: stop reading, call `retry`
    cdef readonly bint ended           # nothing is parsed any more: close frame, fault or halt

    cdef object view(self)
    cdef size_t find_room(self, uint8_t** at) noexcept
    cdef void move_to_front(self) noexcept nogil
    cdef int note_read(self, size_t n) except -1
    cdef void stamp(self) noexcept nogil
    cdef int store(self, const uint8_t* data, size_t n) except -1
    cdef void refill(self) noexcept
    cdef int parse_read(self, bint is_small) except -1
    cdef int call_back(self) except -1
    cdef int parse(self) except -1
    cdef bint has_attention(self) noexcept
    cdef void drop_spilled(self) noexcept
    cdef void parse_rest(self) noexcept
    cdef void feed_once(self) noexcept nogil
