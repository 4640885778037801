"""The frame parser; the implementation opens with its rules."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tickwire.wire._control cimport ControlQueue
from tickwire.wire._handler cimport Handler
from tickwire.wire._inflate cimport Inflater
from tickwire.wire._rules cimport Fault, Opcode
from tickwire.wire._streamed cimport StreamedMessage


cdef class Parser:
    # Why the last `feed` stopped before the end of its bytes; each call clears the first two.
    cdef readonly bint blocked   # backpressure: the message is offered again
    cdef readonly bint halted    # the handler asked for the end; consumed through its message
    cdef readonly bint closed    # a close frame came; `feed` takes nothing more
    cdef int error               # a Fault; not 0: `feed` takes nothing more

    cdef readonly int64_t n_frames    # whole frames consumed, control frames too
    cdef readonly int64_t n_messages  # data messages that the handler has taken
    cdef readonly int64_t n_bytes     # consumed, headers too

    cdef ControlQueue control         # pings to answer, the last pong, the close
    # From the close frame; 1005 where it had none, 0 until it came.
    cdef readonly int close_code

    cdef bint is_server               # frames come from a client, thus masked
    cdef uint64_t max_frame           # largest payload of one frame, bytes
    cdef uint64_t max_message         # largest payload of one message, bytes
    cdef uint64_t in_place_limit      # larger frames go to `streamed`, bytes
    cdef uint8_t rsv_allowed          # bits 0x70 that an extension allows; 0 without one

    cdef StreamedMessage streamed     # what is not read in place; has the inflater of RFC 7692
    cdef Inflater unpacker            # of binary messages that are packed as a whole; None: plain

    # Between two calls of `feed`.
    cdef bint prepared                # the frame at the front is unmasked, inflated and checked
    cdef bint unpacked                # `unpacker` holds the message that was blocked

    cdef bint stop_at_control         # return from `feed` after each control frame

    cdef Py_ssize_t feed(self, uint8_t* data, size_t n, Handler handler) noexcept nogil

    cdef inline bint has_control(self) noexcept nogil:
        """Whether `take_control` would give anything.

        Shape    none.
        Units    none.
        Returns  True if a ping, a pong or a close waits.
        Threads  that of `feed`.
        Memory   none.
        Source   RFC 6455 section 5.5.
        """
        return (
            self.control.n_waiting_pings != 0
            or self.control.pong_waiting
            or self.control.close_waiting
        )

    # The steps of `feed`.
    @cython.final
    cdef size_t _take_plain(self, uint8_t* data, size_t n, Handler handler) noexcept nogil

    @cython.final
    cdef size_t _take_frame(self, uint8_t* data, size_t n, Handler handler) noexcept nogil

    @cython.final
    cdef size_t _offer_in_place(
        self, uint8_t first, uint8_t* payload, size_t header, size_t length, Handler handler
    ) noexcept nogil

    @cython.final
    cdef size_t _take_control_frame(
        self, int opcode, const uint8_t* payload, size_t header, size_t length
    ) noexcept nogil

    @cython.final
    cdef bint _offer_streamed(self, Handler handler) noexcept nogil

    @cython.final
    cdef int _offer_unpacked(
        self, const uint8_t* packed, size_t n, Handler handler
    ) noexcept nogil
