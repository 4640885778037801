"""Messages that cannot be decoded: counted by reason, handed to the table quarantine."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from tickwire.decode._connection cimport Connection

# Name of an Outcome.
cdef object reason_of(int outcome)


@cython.final
cdef class Quarantine:
    cdef object table               # a `contract.QuarantineTable`; None: nothing is kept
    cdef object venue
    cdef dict counters              # reason -> Counter

    # Received by the connection at ts_recv_ns.
    cdef int keep(
        self, Connection connection, int64_t ts_recv_ns, int outcome, const uint8_t* payload,
        size_t n
    ) except -1
