"""REST answers of trades that were missed: decoded into a source's rings."""

cimport cython
from libc.stdint cimport int16_t

from tickwire.decode._bytecode cimport RowSetOp
from tickwire.decode._walk cimport Walker


@cython.final
cdef class BackfillDecoder:
    cdef Walker walker
    cdef object program
    cdef object symbols             # the feed's Dictionary of symbols
    cdef object venue
    cdef int16_t venue_code

    cdef int route_of(self, message) except -1
    cdef RowSetOp* rows_of(self, int route) except NULL
