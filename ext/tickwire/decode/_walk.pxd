"""Walks a payload along a route's tree.

Theory. The text is read once, from left to right. Scalars go into registers; at the end of each
item that gives a row, its registers go into the row at the head of the ring; columns that belong to
an outer level are filled for all rows of that level at its end, so the order of keys does not
matter. What gives rows is read in declared order: a place that comes too early in the text is
skipped and read at the end of its object. Where that is not enough (a key stands twice, or a row
needs a value that follows it), the outcome is AGAIN, and the message is walked once more with every
object read to its end first: then only the last of equal keys is read, and all scalars of a level
are known before its rows. So is a message that fails, for what failed may stand again later.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tickwire.decode._general cimport General
from tickwire.decode._bytecode cimport NodeOp, RouteOp
from tickwire.decode._learn cimport Learner
from tickwire.decode._script cimport Scripts
from tickwire.decode._stage cimport Outcome
from tickwire.decode._steps cimport Kernels, Run, Steps
from tickwire.decode._template cimport Step, Template


@cython.final
cdef class Walker(General):
    cdef Steps steps
    cdef Kernels kernels
    cdef Template* templates            # by node
    cdef Scripts scripts
    cdef Learner learner
    cdef bint was_careful           # the last message was walked twice

    cdef inline void prepare(self, Run* run, const Step* steps) noexcept nogil
    cdef bint close(self, RouteOp* route, bint fills) noexcept nogil

    # Decode by a route; stages its rows, or takes them back and says why. Where the route is not
    # sure, the caller calls `count_left_out` once it is.
    cdef Outcome run(self, int route, const uint8_t* p, const uint8_t* end, bint is_sure) \
        noexcept nogil
    # Find only the values that routing wants; no rows.
    cdef Outcome observe(self, const uint8_t* p, const uint8_t* end) noexcept nogil

    cdef void count_left_out(self, int route) noexcept nogil
    cdef void study_message(self, int32_t route, uint64_t observed, const uint8_t* p,
                            const uint8_t* end) noexcept nogil
    cdef bint walk(self, RouteOp* route, const uint8_t* p) noexcept nogil
    cdef inline const uint8_t* directly(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* visit(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* content(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* keyed(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* swiftly(self, Template* template, const uint8_t* p) noexcept nogil
    cdef void study(self, NodeOp* node, const uint8_t* p, const uint8_t* after) noexcept nogil
    cdef const uint8_t* listed(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* each(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* row(self, Template* template, const uint8_t* p) noexcept nogil
    cdef inline bint admit(self, Template* template, int64_t row) noexcept nogil
    cdef inline const uint8_t* rows(self, Template* template, const uint8_t* p, bint* closed) \
        noexcept nogil
    cdef const uint8_t* single_rows(self, Template* template, const uint8_t* p, bint* closed) \
        noexcept nogil
