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
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._lowered cimport MAX_TURNS, Edge, Lowered, NodeOp, Range, RouteOp
from tickwire.decode._read cimport Reader
from tickwire.decode._stage cimport Message, Outcome, Stage
from tickwire.decode._steps cimport Steps
from tickwire.decode._template cimport Template

# Turns of an object's or array's places that give rows.
cdef struct Turns:
    uint32_t done                       # bit per turn: read
    uint32_t late                       # put off
    const uint8_t* places[MAX_TURNS]    # of those put off


@cython.final
cdef class Walker:
    cdef Lowered program
    cdef Stage stage
    cdef Reader reader
    cdef Steps steps
    cdef Message* message               # the stage's
    cdef Template* templates            # by node
    cdef int n_nodes

    # Decode by a route; stages its rows, or takes them back and says why.
    cdef Outcome run(self, int route, const uint8_t* p, const uint8_t* end, bint is_sure) \
        noexcept nogil
    # Find only the values that routing wants; no rows.
    cdef Outcome observe(self, const uint8_t* p, const uint8_t* end) noexcept nogil

    cdef bint walk(self, RouteOp* route, const uint8_t* p) noexcept nogil
    cdef const uint8_t* fail(self, Outcome outcome) noexcept nogil
    cdef inline const uint8_t* directly(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef inline const uint8_t* value(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* visit(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* content(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* unwanted(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* scalar(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* keyed(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* key(self, NodeOp* node, const uint8_t* p, Edge** edge, int* guess) \
        noexcept nogil
    cdef const uint8_t* keyed_last(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* keyed_slowly(self, NodeOp* node, const uint8_t* p) noexcept nogil
    # By the template: behind the value; NULL with outcome DONE where it does not fit.
    cdef const uint8_t* swiftly(self, Template* template, const uint8_t* p) noexcept nogil
    cdef void study(self, NodeOp* node, const uint8_t* p, const uint8_t* after) noexcept nogil
    cdef const uint8_t* listed_slowly(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* each(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* listed(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* members(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* member(self, NodeOp* node, const uint8_t* p, int32_t row_set) \
        noexcept nogil
    cdef bint note_members(self, NodeOp* node, const uint8_t* p, int32_t row_set) noexcept nogil
    cdef const uint8_t* member_key(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* follow(self, Edge* edge, const uint8_t* p, Turns* turns) noexcept nogil
    cdef bint late_turns(self, Range edges, Turns* turns) noexcept nogil
    cdef Edge* find(self, Range keys, const uint8_t* key, size_t n, bint escaped, int* guess) \
        noexcept nogil
    cdef const uint8_t* element(
        self, NodeOp* node, const uint8_t* p, int32_t index,
        int32_t n_elements, Turns* turns
    ) noexcept nogil
    cdef bint close_rows(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef void note_heads(self, NodeOp* node, int64_t* firsts) noexcept nogil
    cdef bint fill_containers(self, NodeOp* node, const int64_t* firsts) noexcept nogil
    cdef bint fill_scope(self, NodeOp* node, const int64_t* firsts) noexcept nogil
    cdef inline void note(self, int register, const uint8_t* p, const uint8_t* after) \
            noexcept nogil:
        self.message.registers[register].p = p
        self.message.registers[register].n = after - p
        self.message.have |= <uint64_t>1 << register
