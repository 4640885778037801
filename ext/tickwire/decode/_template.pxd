"""What a value looked like last time, so that it can be read faster next time.

Theory. Venues print their messages with one piece of code, so a message differs from the last of
its kind only in its values. A template is the text of an object or array with its values left out:
steps of a literal (all bytes from the end of one value to the start of the next) and what to do
with the value behind it. Where the literals agree, keys, quotes, colons, commas and white space
need not be looked at. Where one does not, the value is read again in the general way, which also
learns the new template. A template never decides what is right: it repeats what the general way
has accepted, byte for byte, and its values are read by the same rules.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._lowered cimport ActionOp, Lowered, NodeOp

cdef enum:
    MAX_STEPS = 40
    MAX_WORDS = 4
    MOST_SKIPPED = 8        # strings of an array or object that nobody wants, as steps of their own
    MAX_LITERAL = 32
    MOST_MISSES = 4     # templates that fail so often in a row are learned ever more rarely

cdef extern from "tickwire/steps.h" nogil:
    enum:
        STEP_SKIP_STRING "TW_STEP_SKIP_STRING"
        STEP_SKIP "TW_STEP_SKIP"
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

    ctypedef struct Word "tw_word":
        uint64_t text[2]
        uint32_t n
        int64_t result

    ctypedef struct Step "tw_step":
        uint8_t literal[MAX_LITERAL]
        uint32_t n
        uint32_t mask
        int32_t kind
        int32_t quoted
        int32_t node
        int32_t turn
        int32_t reg
        int32_t n_words
        int32_t is_int32
        uint8_t first
        int64_t unit_ns
        void* action
        void* column
        Word words[MAX_WORDS]

cdef struct Template:
    int n_steps             # 0: none
    uint64_t taken          # registers of the places that the steps read
    bint numeric            # only numbers, and skipped values
    bint direct             # the values go straight into the columns of `target`
    int target
    uint32_t misses         # since the last hit
    uint32_t misses_to_learn
    Step steps[MAX_STEPS]

# Learn from p..after, which has just been read in the general way for this node.
cdef void learn(
    Template* template, Lowered program, NodeOp* node, const uint8_t* p,
    const uint8_t* after
) noexcept nogil
