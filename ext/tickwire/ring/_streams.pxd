"""What a ring has had of each stream: the rows of one symbol from one session."""

cimport cython

from tickwire.ring._ring cimport Ring
from tickwire.ring._sweep cimport Sweep


@cython.final
@cython.no_gc_clear     # the ring must be there when this goes
cdef class Streams(Sweep):
    cdef readonly Ring ring
