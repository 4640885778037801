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

cdef enum StepKind:
    STEP_SKIP_STRING = 0    # behind its opening quote; the next literal begins with the closing one
    STEP_SKIP = 1           # any value
    STEP_F64 = 2            # a number, quoted or not
    STEP_INTEGER = 3
    STEP_TIME = 4
    STEP_TEXT = 5           # a string for a text column
    STEP_DIGITS = 6         # a bare integer for a text column
    STEP_CODE = 7           # a string for a dictionary
    STEP_CHOICE = 8         # a string among choices
    STEP_NODE = 9           # everything else: `visit`
    STEP_END = 10           # the literal is the rest
    STEP_OBSERVE = 11       # a string that routing looks at

# A text that is expected, with its closing quote, and what it means.
cdef struct Word:
    uint64_t text[2]
    uint32_t n
    int64_t result

cdef struct Step:
    uint8_t literal[MAX_LITERAL]
    uint32_t n              # bytes of it, at least 1
    int kind
    bint quoted
    uint8_t first           # the value's first byte, its quote for a quoted one
    int32_t node
    int32_t turn            # of a place that gives rows, -1 for others
    int register
    ActionOp* action
    int n_words
    Word words[MAX_WORDS]   # choices; the last string of a dictionary
    void* column            # direct rows: where the value goes
    int column_kind

cdef struct Template:
    int n_steps             # 0: none
    uint64_t clears         # registers of the nodes that the steps set
    bint flat               # no STEP_NODE that gives rows
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
