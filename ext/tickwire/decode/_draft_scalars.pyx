"""The steps of scalars; the theory is in the declaration."""

from libc.math cimport NAN
from libc.stdint cimport INT32_MIN, INT64_MIN, int32_t, uint8_t

from tickwire.decode._bytecode cimport (
    OP_CHOICE, OP_CODE, OP_FLAG, OP_INTEGER, OP_INTEGER32, OP_NUMBER, OP_RFC3339, OP_SIGN, OP_TEXT,
    OP_TIME, ActionOp, NodeOp,
)
from tickwire.decode._draft cimport Draft
from tickwire.decode._template cimport (
    STEP_CHOICE, STEP_CODE, STEP_DIGITS, STEP_F64, STEP_INTEGER, STEP_MAGNITUDE, STEP_MARK,
    STEP_RFC3339, STEP_RULE, STEP_SIGN, STEP_TEXT, STEP_TIME, STEP_UNITS, Step, choose,
)
from tickwire.decode._values cimport (
    TEXT_NULL, TEXT_NUMBER, TEXT_STRING, TEXT_WORD, Text, read_scalar,
)

cdef extern from "tickwire/decode/step.h" nogil:
    enum:
        NS_PER_MS "TW_NS_PER_MS"


cdef class ScalarDraft:
    """The scalars of a script that is being learned.

    Parameters
    ----------
    draft
        The script.
    """

    def __cinit__(self, Draft draft):
        self.draft = draft

    cdef const uint8_t* read(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """A value that actions read, one after the other."""
        cdef ActionOp* actions = &self.draft.program.actions[node.actions.first]
        cdef Text text
        cdef bint quoted
        cdef bint is_number = False
        cdef int32_t i
        cdef int32_t last = -1
        if not read_scalar(p, self.draft.end, &text):
            return NULL
        quoted = text.form == TEXT_STRING
        for i in range(node.actions.n):
            if text.form == TEXT_NULL and (
                (self.draft.strict >> actions[i].register) & 1 or actions[i].op > OP_TIME
            ):
                return text.after
            is_number = is_number or actions[i].op == OP_NUMBER
            # A sign does not read the whole value, so it is not the last.
            if last < 0 and actions[i].op != OP_SIGN:
                last = i
        last = max(last, 0)
        if not self.draft.reach(p + quoted) \
                or (node.actions.n > 1 and self.draft.add(STEP_MARK, -1) == NULL):
            return NULL
        for i in range(node.actions.n):
            if i != last and not (
                self.action(&actions[i], &text, is_number) and self.draft.back(quoted)
            ):
                return NULL
        if not self.action(&actions[last], &text, False):
            return NULL
        self.draft.progress.at = text.after - quoted
        return text.after

    cdef bint action(self, ActionOp* action, Text* text, bint is_number) noexcept nogil:
        """The step for what an action reads; `is_number` where another one reads the number."""
        cdef bint string = text.form == TEXT_STRING
        cdef int kind = self.kind_of(action, text, is_number)
        cdef Step* step
        if text.escaped:
            return False    # the walk resolves its escapes
        step = self.draft.add(kind, action.register)
        if step == NULL:
            return False
        step.action = action
        step.unit_ns = action.operand
        step.is_int32 = action.op == OP_INTEGER32
        step.quoted = string
        step.first = c'"' if string else text.p[0]
        if kind == STEP_SIGN:
            step.unit_ns = self.draft.program.scalars[action.choices.first].result
            step.negative = self.draft.program.scalars[action.choices.first + 1].result
        elif kind == STEP_CODE:
            step.known = self.draft.steps.known[action.dictionary]
        elif kind == STEP_CHOICE and not choose(step, action, self.draft.program, string):
            step.kind = STEP_RULE
        step.nullable = not (self.draft.strict >> action.register) & 1 \
            and (action.op <= OP_TIME or action.op == OP_RFC3339)
        step.null.i = INT64_MIN
        if action.op == OP_NUMBER:
            step.null.f = NAN
        elif action.op == OP_INTEGER32:
            step.null.i = INT32_MIN
        return text.form != TEXT_NULL or step.nullable

    cdef int kind_of(self, ActionOp* action, Text* text, bint is_number) noexcept nogil:
        cdef bint string = text.form == TEXT_STRING
        cdef int op = action.op
        cdef size_t i
        if op == OP_NUMBER:
            return STEP_MAGNITUDE if action.magnitude else STEP_F64
        if (op == OP_INTEGER or op == OP_INTEGER32) and action.operand == 0:
            return STEP_INTEGER
        if op == OP_TIME and not action.later_ns:
            if action.operand <= NS_PER_MS:
                return STEP_TIME
            return STEP_RULE if action.or_us else STEP_UNITS
        if op == OP_RFC3339 and string and not action.later_ns:
            return STEP_RFC3339
        if op == OP_TEXT and string:
            return STEP_TEXT
        if op == OP_TEXT and text.form == TEXT_NUMBER:
            for i in range(text.n):
                if not c'0' <= text.p[i] <= c'9':
                    return STEP_RULE
            return STEP_DIGITS
        if op == OP_CODE and string:
            return STEP_CODE
        if op == OP_SIGN and is_number:
            return STEP_SIGN
        if (op == OP_CHOICE and (string or text.form == TEXT_WORD)) or op == OP_FLAG:
            return STEP_CHOICE
        return STEP_RULE
