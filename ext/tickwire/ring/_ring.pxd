"""A table's ring, for Python: a thin face over a `tw_ring` (ring.h), which all C code uses.

Python sees rows, counted since the ring was made; the struct has positions.
"""

cimport cython

from tickwire.ring._block cimport Block
from tickwire.ring._dictionary cimport Dictionaries
from tickwire.ring._tw_ring cimport tw_column
from tickwire.ring._waiters cimport Waiters


@cython.final
cdef class Ring(Waiters):
    cdef readonly object table          # schema.Table
    cdef readonly object schema         # its pyarrow.Schema
    cdef readonly Dictionaries dictionaries
    cdef readonly Block block
    cdef list code_dictionaries         # by column; None where it has no codes
    cdef object __weakref__

    cpdef void publish(self) noexcept nogil
    cpdef bint rewind(self) noexcept nogil
    cdef int _set_window(self, object window_rows) except -1
    cdef object _bind(self, tw_column* column, object declared)
