"""Columns of a ring, for what reads and writes rows without Python."""

from tickwire.ring._ring cimport Ring


# The values of a ring's column; valid as long as the ring.
cdef inline void* column(Ring ring, str name) except NULL:
    return ring.core.columns[<int> ring.table.index(name)].values
