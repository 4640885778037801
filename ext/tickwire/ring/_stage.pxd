"""Rows from Python values: for tables that the feed writes itself, and for tests."""

from tickwire.ring._ring cimport Ring

# Stage a row; False: no room, and nothing is staged. Empties `values`.
cdef bint stage_row(Ring ring, dict values) except -1
