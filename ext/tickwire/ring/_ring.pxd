"""A table's ring, for Python: a thin face over a `tw_ring` (ring.h), which all C code uses.

Python sees rows, counted since the ring was made; the struct has positions.
"""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring._block cimport Block
from tickwire.ring._dictionary cimport Dictionaries
from tickwire.ring._tw_ring cimport tw_column, tw_ring


@cython.final
cdef class Ring:
    cdef readonly object table          # schema.Table
    cdef readonly object schema         # its pyarrow.Schema
    cdef readonly Dictionaries dictionaries
    cdef readonly Block block
    cdef tw_ring* core                  # lives as long as this object
    cdef list code_dictionaries         # by column; None where it has no codes
    cdef list waiters                   # called at the next publish
    cdef list late_waiters              # (position, callback): called once that is published
    cdef list room_waiters              # called when a consumer has released rows
    cdef object __weakref__

    cpdef void publish(self) noexcept nogil
    cpdef bint rewind(self) noexcept nogil
    cdef void wake(self) noexcept
    cdef void wake_late(self) noexcept
    cdef int64_t next_wake(self) noexcept
    cdef void tell_room(self) noexcept
    cdef int _set_window(self, object window_rows) except -1
    cdef object _bind(self, tw_column* column, object declared)
