"""Rules of continuity: how a book delta relates to what the book has already."""

from libc.stdint cimport int64_t

cdef enum Relation:
    OLD = 0     # the book has all of it
    NEXT = 1    # it follows, or overlaps
    HOLE = 2    # something between is missing

# What a venue says of a delta's place in its chain: ids, INT64_MIN where it sent none.
cdef struct Delta:
    int64_t first       # its first update
    int64_t last        # its last update
    int64_t prev        # the update that must come just before it

# `last_id` is the last update that the book has: of the snapshot, or of the delta before.
ctypedef Relation (*Compare)(int64_t last_id, const Delta* delta) noexcept nogil

cdef struct Rule:
    Compare after_snapshot  # the first delta after a snapshot
    Compare after_delta     # each later one

cdef const Rule* rule_named(str name) except NULL
