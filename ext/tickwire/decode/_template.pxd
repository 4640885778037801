"""What a value looked like last time, so that it can be read faster next time.

Theory. Venues print their messages with one piece of code, so a message differs from the last of
its kind only in its values. A template is the text of an object or array with its values left out:
steps of a literal (all bytes from the end of one value to the start of the next) and what to do
with the value behind it. Where the literals agree, keys, quotes, colons, commas and white space
need not be looked at. Where one does not, the value is read again by the fallback, which also
learns the new template. A template never decides the values: it repeats what the fallback
has accepted, byte for byte, and its values are read by the same rules.

Where the values of an object or array are one row, they need not wait in registers: the steps know
the row's columns and write into its slot, which does not count before the head has moved on.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport (
    ActionOp, Bits, Bytecode, CellOp, Edge, NodeOp, Range, RowSetOp,
)
from tickwire.decode._seen cimport Memory
from tickwire.decode._values cimport Register

cdef enum:
    MAX_STEPS = 40
    MOST_SKIPPED = 8        # strings of an array or object that are skipped, as steps of their own
    MAX_LITERAL = 32
    MAX_REST = 8        # columns of a row whose value no step reads
    MOST_MISSES = 4     # templates that fail so often in a row are learned ever more rarely

cdef extern from "tickwire/decode/level_cache.h" nogil:
    ctypedef struct KnownLevel "tw_cached_level":
        pass

    ctypedef struct LevelCache "tw_level_cache":
        int64_t n_known

cdef extern from "tickwire/decode/step.h" nogil:
    enum:
        STEP_SKIP_STRING "TW_STEP_SKIP_STRING"
        STEP_SKIP "TW_STEP_SKIP"
        STEP_SKIP_NUMBER "TW_STEP_SKIP_NUMBER"
        STEP_F64 "TW_STEP_F64"
        STEP_INTEGER "TW_STEP_INTEGER"
        STEP_TIME "TW_STEP_TIME"
        STEP_TEXT "TW_STEP_TEXT"
        STEP_DIGITS "TW_STEP_DIGITS"
        STEP_CODE "TW_STEP_CODE"
        STEP_CHOICE "TW_STEP_CHOICE"
        STEP_NODE "TW_STEP_NODE"
        STEP_END "TW_STEP_END"
        STEP_OBSERVE "TW_STEP_OBSERVE"
        STEP_RULE "TW_STEP_RULE"
        STEP_LITERAL "TW_STEP_LITERAL"
        STEP_ROWS "TW_STEP_ROWS"
        STEP_ROW_END "TW_STEP_ROW_END"
        STEP_PLAIN_ROWS "TW_STEP_PLAIN_ROWS"
        STEP_PLAIN_END "TW_STEP_PLAIN_END"
        STEP_SKIP_LONG "TW_STEP_SKIP_LONG"
        STEP_MAGNITUDE "TW_STEP_MAGNITUDE"
        STEP_RFC3339 "TW_STEP_RFC3339"
        STEP_UNITS "TW_STEP_UNITS"
        STEP_SIGN "TW_STEP_SIGN"
        STEP_MARK "TW_STEP_MARK"
        STEP_BACK "TW_STEP_BACK"
        STEP_ZERO "TW_STEP_ZERO"
        STEP_EMIT "TW_STEP_EMIT"
        LONG_STRING "TW_LONG_STRING"
        LONGEST_STRING "TW_LONGEST_STRING"

        STORE_1 "TW_STORE_1"
        STORE_2 "TW_STORE_2"
        STORE_4 "TW_STORE_4"
        STORE_8 "TW_STORE_8"
        STORE_TEXT "TW_STORE_TEXT"
        STORE_NO_TEXT "TW_STORE_NO_TEXT"

    ctypedef struct Choice "tw_enum_match":
        pass

    ctypedef struct Known "tw_symbol_cache":
        pass

    ctypedef struct Step "tw_step":
        uint8_t literal[MAX_LITERAL]
        uint64_t n
        uint32_t mask
        int32_t kind
        const void* code
        void* column
        int64_t slots
        Register* place
        int64_t unit_ns
        const Known* known
        const Memory* warm
        const void* rows
        uint64_t before
        void* action
        int32_t store
        int32_t reg
        int32_t is_int32
        int32_t node
        int32_t turn
        int32_t quoted
        uint8_t first
        uint32_t length
        int32_t nullable
        Bits null
        int64_t negative
        uint64_t gives
        int32_t optional
        Choice choice

cdef struct Template:
    int n_steps             # 0: none
    uint64_t taken          # registers of the places that the steps read
    bint flat               # no step needs a walk
    # `Steps.bind`: the values are one row and go straight into its columns.
    bint direct
    bint conditional        # the row may not be wanted
    bint plain              # every row is requested, and steps fill all its columns
    bint levels             # plain, and two decimals, perhaps an integer behind them
    LevelCache level_cache  # of levels
    int64_t nowhere         # what has no column goes here
    int32_t target
    RowSetOp* row_set
    uint64_t registers      # set at or below the node
    int n_rest
    CellOp* rest[MAX_REST]  # columns that no step fills
    uint32_t misses         # since the last hit
    uint32_t misses_to_learn
    Step steps[MAX_STEPS]

cdef Edge* edge_of(Bytecode program, Range keys, const uint8_t* key, size_t n) noexcept nogil
# Make it the step for a string of n bytes, without escapes, that is not requested.
cdef void skip_string(Step* step, size_t n) noexcept nogil
# Expect the texts of a choice; of strings with their closing quotes. False: it has none.
cdef bint choose(Step* step, ActionOp* action, Bytecode program, bint string) noexcept nogil

# Learn from p..after, which has just been read by the fallback for this node; False where the
# template stays as it is.
cdef bint learn(
    Template* template, Bytecode program, Register* registers, NodeOp* node, const uint8_t* p,
    const uint8_t* after
) noexcept nogil
