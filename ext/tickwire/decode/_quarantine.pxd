"""Messages that cannot be decoded: counted by reason, kept as far as there is room."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from tickwire.decode._connection cimport Connection
from tickwire.ring._ring cimport Ring

# Name of an Outcome.
cdef object reason_of(int outcome)


@cython.final
cdef class Quarantine:
    cdef Ring ring                  # None: nothing is kept
    cdef object venue
    cdef dict counts                # reason -> messages
    cdef int64_t n_dropped          # messages that the ring had no room for
    cdef int64_t n_truncated        # messages that it holds in part

    # Received by the connection at ts_recv_ns.
    cdef int keep(
        self, Connection connection, int64_t ts_recv_ns, int outcome, const uint8_t* payload,
        size_t n
    ) except -1
