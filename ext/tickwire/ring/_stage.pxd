"""Rows from Python values: for tables that the feed writes itself, and for tests."""

from tickwire.ring._tw_ring cimport tw_ring

# Stage a row of `table`; False: no room, and nothing is staged. Empties `values`.
# `dictionaries` are those of its columns, None for one without codes.
cdef bint stage_row(tw_ring* ring, object table, list dictionaries, dict values) except -1
