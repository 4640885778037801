"""Chains: how a change shows that none before it is missing, of books that begin in band."""

from libc.stdint cimport int64_t

from tickwire.book._rules cimport Delta, Relation

# What a chain declares.
cdef struct Chain:
    int64_t step        # from one number to the next, of a counted one
    int64_t restart     # the number from which a service counts again, INT64_MIN without

# `last_id` is the number that the book has: of the snapshot, or of the change before.
ctypedef Relation (*Follow)(const Chain* chain, int64_t last_id, const Delta* delta) noexcept nogil

cdef Follow follow_named(str name) except NULL
# How many changes are missing before one that is a hole; 0 where the numbers do not tell.
cdef int64_t missing_of(str name, const Chain* chain, int64_t last_id, const Delta* delta)
