"""The text of whole messages, with their values left out.

Theory. Where a message differs from one of its route only in its values, nothing between its first
byte and its last need be decided again: which route it is, which place gives rows, which columns
they have, what they share. A script is a linear program for such messages: the literals between
values, and what to do with each value; rows of an array are a loop over its steps. One kernel reads
all of it. It is learned from the text of a message that the walk has just accepted (`_learn`), and
says nothing that the walk did not. A message that fits no script is taken back, and walked.

A route may have several: keys that come and go, values that are null, lists that are empty make
different texts. The one that followed the last script when that was used before is tried first,
then the others, the most recent first; most are refused by a few of a message's first bytes. A new
one takes the place of the route's oldest. A route whose scripts are replaced before they have read
much learns ever more rarely.

Where texts differ in nothing but which keys of objects they have, as those of venues that send what
has changed, one script is made of theirs: it has the steps of all, and those of a key that one of
the texts lacks are optional. The kernel goes past a step whose literal does not stand there. That
is sound because the literals of optional steps, and those on both sides, begin and end with the
quotes of strings: whatever is left out, what fits is an object. So no such script has rows of its
own steps.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport Bits, Bytecode, Range, RouteOp
from tickwire.decode._seen cimport Memory, TradeFacts
from tickwire.decode._stage cimport Labels
from tickwire.decode._steps cimport steps_function
from tickwire.decode._template cimport LevelCache, Step
from tickwire.decode._values cimport Register
from tickwire.ring._tw_ring cimport tw_ring

cdef enum:
    MAX_SCRIPT_STEPS = 96
    MAX_PLACES = 6
    MAX_LATE = 4            # stretches of columns that are filled at a message's end
    MAX_SCRIPTS = 16        # of a route
    MAX_TOLERANCE = 4096    # messages that did not fit, before a script is learned
    HITS_FORGIVEN = 8       # messages that a script has read before another took its place
    MOST_TRIES = 12         # scripts that a message may be tried with
    FEW_TRIES = 3           # where none has fitted so many messages in a row as
    UNREAD_FORGIVEN = 16    # this
    LOOK_AGAIN = 8          # of so many more one is tried with all
    MOST_MOVED = 64         # times that optional steps have changed places, for inconstant orders
    ODD_FORGIVEN = 4        # elements, and one for two messages, that a script leaves to the walk

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
        const Step* last
        uint64_t bit
        void* row_set
        const Memory* memory
        const Register* symbol
        const Register* trade_id
        TradeFacts facts
        int32_t is_list
        int32_t is_routed
        int32_t n_cells
        int32_t n_own
        int32_t element
        LevelCache* level_cache
        LevelCache levels
        Cell* cells

    int tw_share_cells(
        const Place* place, int32_t first_cell, int64_t first, int64_t last, const Labels* labels
    )
    int64_t tw_last_row_with_room(const Place* place)

cdef extern from "tickwire/decode/fast_scalars.h" nogil:
    ctypedef struct Beginning "tw_beginning":
        pass

    Beginning tw_beginning_of(const uint8_t* literal, uint32_t n)
    bint tw_may_begin(const Beginning* beginning, const uint8_t* p, const uint8_t* end)

cdef enum:
    MAX_PROOF_TEXTS = 4
    MAX_PROOF_BYTES = 48

cdef struct ProofText:
    int32_t register
    size_t n
    uint8_t bytes[MAX_PROOF_BYTES]

# What a message had observed when it last verified that its route was predicted right.
cdef struct Proof:
    uint64_t observed       # registers that routing looks at before it takes the route
    uint64_t have           # those of them that had a value
    int32_t n_texts         # -1: there is no proof
    ProofText texts[MAX_PROOF_TEXTS]

cdef struct Script:
    int n_steps             # 0: none
    steps_function kernel   # of messages with slack: the lean one where no step is rare
    Beginning beginning     # of the messages that it may fit
    RouteOp* route
    int32_t number          # of the route
    bint must_close         # something is due at a message's end
    bint verified           # what fits is of the route
    bint fills              # the root's columns are to be filled behind the rows
    int n_late
    Range late[MAX_LATE]    # columns that are filled before those
    uint64_t known          # registers whose tests have the same answer in all that fits
    uint64_t rivals         # earlier routes that what fits may be of, a bit each
    Proof proof
    uint64_t hits
    uint64_t n_odd          # elements of lists that looked otherwise than the others
    int n_moved             # times that its optional steps were put into another order
    uint64_t hits_before    # when a place was looked for
    Script* next            # what came after it, the last time
    int n_places
    Place places[MAX_PLACES]
    Step steps[MAX_SCRIPT_STEPS]

cdef struct RouteScripts:
    int n
    Script* at[MAX_SCRIPTS]     # the oldest first
    uint64_t n_read             # messages that scripts have read which are gone
    uint32_t misses
    uint32_t tolerance


@cython.final
cdef class Scripts:
    cdef int n_routes               # of the program, which may be gone when this goes
    cdef Bytecode program
    cdef RouteScripts* routes
    cdef Script** order             # of all routes, the most recent first
    cdef int n_order
    cdef Script* last               # what read the last message; NULL for none
    cdef Script* spare              # not in the order, without steps
    cdef int64_t n_cached_before    # levels that scripts knew which are gone

    # A place for a script of the route that is to be learned; NULL if it had better not be.
    cdef Script* place(self, int32_t number) noexcept nogil
    # Something has been learned in the place that was given.
    cdef void add(self, int32_t number, Script* script) noexcept nogil
    # Whether what has been learned is now part of another script of the route; `strict` are the
    # registers that must have a value.
    cdef bint merge(self, int32_t number, Script* script, uint64_t strict) noexcept nogil
    cdef int oldest(self, int32_t number) noexcept nogil
    # Nothing can be.
    cdef void refuse(self, int32_t number, Script* script) noexcept nogil
    # The script at this place of the order has read a message.
    cdef void used(self, int index) noexcept nogil

# Whether a message may be one for this script, which may be none yet.
cdef inline bint may_fit(Script* script, const uint8_t* p, const uint8_t* end) noexcept nogil:
    return script != NULL and script.n_steps and tw_may_begin(&script.beginning, p, end)

# Levels of books that a script knew from before.
cdef int64_t cached_levels_of(const Script* script) noexcept nogil
