"""The carrier `protocol`: the loop reads straight into the receive buffer."""

from tickwire.net._direct cimport DirectReader
from tickwire.net._receiver cimport Receiver


cdef class ProtocolCarrier(DirectReader):
    cdef Receiver receiver
    cdef readonly object transport
    cdef int fd                   # the socket, while it may be read directly; else -1
    cdef object failure           # what a direct read has failed with
    cdef object loop
    cdef object answer            # tickwire.wire.HandshakeResponse
    cdef bint is_open             # the handshake is through
    cdef bint stopped             # by `pause_reading`, until `resume_reading`
    cdef bint resting             # until the loop's next turn
    cdef Py_ssize_t turn_bytes    # read since the last rest or small read
    cdef bytes request            # what to send first
    cdef bytearray opening_bytes  # where the handshake is read into
    cdef object writable          # a future while the transport's write buffer is full
    cdef readonly object opened   # done with None once the handshake is through, or failed
    cdef readonly object lost     # done when the transport is gone, with its error or None

    cdef int fail(self, object raised) except -1
    cdef int _rest(self) except -1
    cdef int _read_on(self) except -1
    cdef int _open(self, bytes data) except -1
    cdef object _early_end(self)
