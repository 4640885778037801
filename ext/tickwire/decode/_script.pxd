"""The template of a whole message.

Theory. Where a message differs from the last of its route only in its values, nothing between its
first byte and its last need be decided again: which route it is, which place gives rows, which
columns they have, what they share. A script is the steps of the root's template with those of its
rows put in where they stand, so that one kernel reads all of it. What routing wants to be equal to
a text is part of the literals; a message that passes them needs no other proof of its route.

A script is linked from templates that the walk has learned, and says nothing that they do not. A
message that does not fit is taken back, and walked.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport Bits, CellOp, Bytecode, NodeOp, RouteOp
from tickwire.decode._seen cimport Memory, TradeFacts
from tickwire.decode._stage cimport Message, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._template cimport Step, Template
from tickwire.decode._values cimport Register
from tickwire.ring._tw_ring cimport tw_ring

cdef enum:
    MAX_SCRIPT_STEPS = 64
    MAX_PLACES = 4
    MAX_TOLERANCE = 4096    # messages that did not fit, before a script is linked anew
    HITS_FORGIVEN = 64      # messages that fit for one that did not: tolerance is short again

cdef extern from "tickwire/decode/row_loop.h" nogil:
    enum:
        MAX_CELLS "TW_MAX_CELLS"
        TW_ASK
        TW_WANTED
        TW_UNWANTED

    ctypedef struct Cell "tw_cell":
        void* column
        int64_t slots
        const Bits* value
        int32_t store
        int32_t is_channel
        Bits constant

    ctypedef struct Place "tw_row_loop":
        tw_ring* ring
        const Step* first
        uint64_t bit
        void* row_set
        const Memory* memory
        const Register* symbol
        const Register* trade_id
        TradeFacts facts
        int32_t is_list
        int32_t n_cells
        Cell* cells

cdef extern from "tickwire/decode/fast_scalars.h" nogil:
    ctypedef struct Beginning "tw_beginning":
        pass

    Beginning tw_beginning_of(const uint8_t* literal, uint32_t n)
    bint tw_may_begin(const Beginning* beginning, const uint8_t* p, const uint8_t* end)

cdef struct Script:
    int n_steps             # 0: none
    Beginning beginning     # of the messages that it may fit
    RouteOp* route
    bint walks              # some of its steps are walked
    bint must_close         # `Walker.close` has something to do
    bint verified             # what fits is of the route
    bint freezes            # while it is linked: texts that routing asks for become literals
    bint unfolds            # the same: what only holds others is read by steps of its own
    bint fills              # the root's columns are to be filled behind the rows
    uint64_t have           # registers that its steps set
    uint64_t unsure         # registers that a walk inside of it may set
    uint64_t frozen         # observed registers whose texts are in its literals
    uint64_t n_read         # messages, before it was linked
    uint64_t hits           # since then
    uint32_t misses
    uint32_t tolerance
    uint32_t n_pending
    uint8_t pending[32]     # of the literal that the next step begins with
    int n_places
    Place places[MAX_PLACES]
    Step steps[MAX_SCRIPT_STEPS]


@cython.final
cdef class Scripts:
    cdef Bytecode program
    cdef int n_routes               # of the program, which may be gone when this goes
    cdef Stage stage
    cdef Targets targets
    cdef Message* message           # the stage's
    cdef Template* templates        # the walker's, by node
    cdef const void* const* codes   # of its kernels
    cdef Script** at                # by route; NULL before the first is linked

    # A message of the route, which `message` still describes, was walked: link a script if it is
    # worth it. `observed` are the registers that routing looks at.
    cdef void missed(self, int32_t number, uint64_t observed) noexcept nogil

    cdef bint _link(self, Script* script, RouteOp* route, uint64_t observed) noexcept nogil
    cdef bint _begin(self, Script* script, RouteOp* route, bint freezes, bint unfolds) \
        noexcept nogil
    cdef bint _root(self, Script* script, RouteOp* route) noexcept nogil
    cdef bint _steps(self, Script* script, RouteOp* route, Template* template) noexcept nogil
    cdef bint _node(self, Script* script, RouteOp* route, Step* step) noexcept nogil
    cdef bint _rows(self, Script* script, RouteOp* route, Step* entry, Template* template,
                    bint is_list) noexcept nogil
    cdef bint _cell(self, Script* script, Place* place, CellOp* op) noexcept nogil
    cdef void _fills(self, Script* script, NodeOp* root) noexcept nogil
    cdef bint _is_early(self, Script* script, Place* place, CellOp* op) noexcept nogil
    cdef bint _freezes(self, Script* script, RouteOp* route, Step* step) noexcept nogil

# Whether a message may be one for this script, which may be none yet.
cdef inline bint may_fit(Script* script, const uint8_t* p, const uint8_t* end) noexcept nogil:
    return script != NULL and script.n_steps and tw_may_begin(&script.beginning, p, end)
