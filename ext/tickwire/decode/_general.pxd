"""Reads what no template knows: the fallback through objects and arrays.

It is the whole of what counts as right; `_walk` adds what is faster where it comes to the same.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport MAX_TURNS, Edge, Bytecode, NodeOp, Range, RowSetOp
from tickwire.decode._read cimport Reader
from tickwire.decode._stage cimport Message, Outcome, Stage
from tickwire.decode._targets cimport Targets

# Turns of an object's or array's places that give rows.
cdef struct Turns:
    uint32_t done                       # bit per turn: read
    uint32_t late                       # put off
    const uint8_t* places[MAX_TURNS]    # of those put off


cdef class General:
    cdef Bytecode program
    cdef Stage stage
    cdef Targets targets                # the stage's
    cdef Reader reader
    cdef Message* message               # the stage's

    # The value at p for a node, with all that happens at its end: behind it, or NULL.
    cdef const uint8_t* value(self, int32_t number, const uint8_t* p) noexcept nogil

    cdef const uint8_t* fail(self, Outcome outcome) noexcept nogil
    cdef const uint8_t* unwanted(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* scalar(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* key(self, NodeOp* node, const uint8_t* p, Edge** edge, int* expected) \
        noexcept nogil
    cdef const uint8_t* keyed_slowly(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* keyed_last(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* listed_slowly(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* members(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* member(self, NodeOp* node, const uint8_t* p, int32_t row_set) \
        noexcept nogil
    cdef bint note_members(self, NodeOp* node, const uint8_t* p, int32_t row_set) noexcept nogil
    cdef const uint8_t* member_key(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* follow(self, Edge* edge, const uint8_t* p, Turns* turns) noexcept nogil
    cdef bint late_turns(self, Range edges, Turns* turns) noexcept nogil
    cdef Edge* find(self, Range keys, const uint8_t* key, size_t n, bint escaped, int* expected) \
        noexcept nogil
    cdef const uint8_t* element(
        self, NodeOp* node, const uint8_t* p, int32_t index,
        int32_t n_elements, Turns* turns
    ) noexcept nogil
    cdef bint close_rows(self, NodeOp* node, const uint8_t* p) noexcept nogil

    cdef inline void note_heads(self, NodeOp* node, int64_t* firsts) noexcept nogil:
        """Where the rows of each table begin that this value will hold, for `fill_containers`."""
        cdef int32_t i, target
        for i in range(node.containers.n):
            target = self.program.row_sets[self.program.numbers[node.containers.first + i]].target
            firsts[target] = self.targets.at[target].head

    cdef inline bint fill_containers(self, NodeOp* node, const int64_t* firsts) noexcept nogil:
        """The constants of the row sets whose items this value held."""
        cdef RowSetOp* row_set
        cdef int32_t i
        for i in range(node.containers.n):
            row_set = &self.program.row_sets[self.program.numbers[node.containers.first + i]]
            if row_set.fills.n and not self.stage.fill(row_set.fills, firsts):
                return False
        return True

    cdef inline void note(self, int register, const uint8_t* p, const uint8_t* after) \
            noexcept nogil:
        self.message.registers[register].p = p
        self.message.registers[register].n = after - p
        self.message.have |= <uint64_t>1 << register
