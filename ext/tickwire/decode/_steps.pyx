"""The steps of templates; what they are is told in `_template.pxd`."""

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._lowered cimport OP_INTEGER32, CellOp, NodeOp, RowSetOp
from tickwire.decode._read cimport Reader
from tickwire.decode._targets cimport Target
from tickwire.decode._template cimport (
    STEP_CHOICE, STEP_CODE, STEP_DIGITS, STEP_END, STEP_F64, STEP_INTEGER, STEP_NODE, STEP_OBSERVE,
    STEP_SKIP, STEP_SKIP_STRING, STEP_TEXT, STEP_TIME, Step, Template,
)
from tickwire.decode._values cimport (
    TEXT_STRING, Register, Text, read_scalar, tw_skip_value,
)
from tickwire.ring._ring cimport KIND_I64

cdef extern from "tickwire/predict.h" nogil:
    bint tw_literal_at(const uint8_t* p, const uint8_t* end, const uint8_t* literal, uint32_t n)
    const uint8_t* tw_plain_f64(const uint8_t* p, const uint8_t* end, double* out)
    const uint8_t* tw_plain_u63(const uint8_t* p, const uint8_t* end, int64_t* out)
    const uint8_t* tw_plain_string_end(const uint8_t* p, const uint8_t* end)
    bint tw_word_at(const uint8_t* p, const uint8_t* end, const uint64_t* word, uint32_t n)
    bint tw_set_word(uint64_t* word, const uint8_t* p, uint32_t n)

cdef enum:
    NS_PER_MS = 1_000_000

# Times of at most this many units of a millisecond or less fit in int64 as ns: the year 2262.
cdef int64_t MOST_MILLISECONDS = 9_223_372_036_000


cdef class Steps:
    """Reads what repeats.

    Parameters
    ----------
    reader
        Reads by the general rules what a step finds unusual.
    """

    def __cinit__(self, Reader reader):
        self.reader = reader
        self.stage = reader.stage
        self.program = reader.program
        self.targets = reader.stage.targets
        self.message = reader.message

    cdef const uint8_t* run(self, Template* template, int* at, const uint8_t* p) noexcept nogil:
        cdef const uint8_t* end = self.message.end
        cdef Step* step = &template.steps[at[0]]
        while tw_literal_at(p, end, step.literal, step.n):
            p += step.n
            if step.kind == STEP_NODE or step.kind == STEP_END:
                at[0] = <int>(step - template.steps)
                if step.kind == STEP_END:
                    at[0] = template.n_steps
                # Only a value of the same form: white space or a bracket may stand here as well.
                elif p >= end or p[0] != step.first:
                    return NULL
                return p
            p = self.value(step, p)
            if p == NULL:
                return NULL
            step += 1
        return NULL

    cdef inline const uint8_t* value(self, Step* step, const uint8_t* p) noexcept nogil:
        """The value of a step: behind it, NULL where it is another than expected."""
        cdef const uint8_t* end = self.message.end
        cdef Register* register = &self.message.registers[step.register]
        cdef const uint8_t* after
        cdef int32_t i
        if step.kind == STEP_SKIP_STRING:
            return tw_plain_string_end(p, end)
        if step.kind == STEP_F64:
            after = tw_plain_f64(p, end, &register.value.f)
            if after == NULL:
                return self.by_rule(step, p)
        elif step.kind == STEP_TIME:
            after = tw_plain_u63(p, end, &register.value.i)
            if after == NULL or register.value.i > MOST_MILLISECONDS \
                    or step.action.operand > NS_PER_MS:
                return self.by_rule(step, p)
            register.value.i *= step.action.operand
        elif step.kind == STEP_CHOICE:
            for i in range(step.n_words):
                if tw_word_at(p, end, step.words[i].text, step.words[i].n):
                    register.value.i = step.words[i].result
                    self.message.have |= <uint64_t>1 << step.register
                    return p + step.words[i].n - 1
            return self.by_rule(step, p)
        elif step.kind == STEP_CODE:
            if step.n_words and tw_word_at(p, end, step.words[0].text, step.words[0].n):
                register.value.i = step.words[0].result
                after = p + step.words[0].n - 1
            else:
                return self.code(step, p)
        elif step.kind == STEP_DIGITS:
            after = tw_plain_u63(p, end, &register.value.i)
            if after == NULL:
                return NULL
            register.p = p
            register.n = after - p
            register.escaped = False
            register.is_number = True
        elif step.kind == STEP_TEXT or step.kind == STEP_OBSERVE:
            after = tw_plain_string_end(p, end)
            if after == NULL:
                return NULL
            register.p = p - (step.kind == STEP_OBSERVE)    # observed with its quotes
            register.n = after - register.p + (step.kind == STEP_OBSERVE)
            register.escaped = False
            register.is_number = False
        elif step.kind == STEP_SKIP:
            if p >= end or p[0] != step.first:
                return NULL
            return tw_skip_value(p, end)
        else:
            if step.action.operand or step.action.op == OP_INTEGER32:
                return self.by_rule(step, p)
            after = tw_plain_u63(p, end, &register.value.i)
            if after == NULL:
                return self.by_rule(step, p)
        self.message.have |= <uint64_t>1 << step.register
        return after

    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil:
        """Look a string up, and expect it the next time."""
        cdef const uint8_t* after = tw_plain_string_end(p, self.message.end)
        if after == NULL:
            return NULL
        if not self.reader.code(step.action, p, after - p):
            return NULL
        step.n_words = tw_set_word(step.words[0].text, p, <uint32_t>(after - p) + 1)
        step.words[0].n = <uint32_t>(after - p) + 1
        step.words[0].result = self.message.registers[step.register].value.i
        return after

    cdef const uint8_t* by_rule(self, Step* step, const uint8_t* p) noexcept nogil:
        """The value of a step by the general rules."""
        cdef Text text
        if step.quoted:
            text.after = tw_plain_string_end(p, self.message.end)
            if text.after == NULL:
                return NULL
            text.form = TEXT_STRING
            text.p = p
            text.n = text.after - p
            text.escaped = False
        elif not read_scalar(p, self.message.end, &text) or text.form == TEXT_STRING:
            return NULL
        if not self.reader.act(step.action, &text):
            return NULL
        return text.after

    cdef void bind(self, Template* template, NodeOp* node) noexcept nogil:
        cdef RowSetOp* row_set
        cdef CellOp* cell
        cdef Step* step
        cdef int32_t i, j
        cdef int32_t n_found = 0
        template.direct = False
        if not template.numeric or template.n_steps == 0 or node.rows.n != 1:
            return
        if node.observe >= 0 or node.fills.n:
            return
        row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        if row_set.needs or row_set.zeros.n or row_set.once >= 0 or row_set.carry >= 0 \
                or row_set.member >= 0 or row_set.configured_only:
            return
        for j in range(template.n_steps):
            step = &template.steps[j]
            if step.kind != STEP_F64 and step.kind != STEP_INTEGER:
                continue
            step.column = NULL
            for i in range(row_set.stores.n):
                cell = &self.program.cells[row_set.stores.first + i]
                if cell.register == step.register:
                    step.column = self.targets.at[row_set.target].columns[cell.column]
                    step.column_kind = cell.kind
                    n_found += 1
            if step.column == NULL or step.action.operand:
                return
        template.target = row_set.target
        template.direct = n_found == row_set.stores.n

    cdef const uint8_t* rows(self, Template* template, const uint8_t* p, bint* closed) \
            noexcept nogil:
        """Write whole elements of an array into the columns.

        Shape    elements that look as the template says, one row each at the ring's head.
        Units    as in the columns.
        Returns  the first element that looks otherwise, or what is behind the closing bracket.
        Threads  the loop's thread only.
        Memory   the ring's.
        Source   the theory of templates, in `_template.pxd`.
        """
        cdef const uint8_t* end = self.message.end
        cdef const uint8_t* q
        cdef Target* target = &self.targets.at[template.target]
        cdef int64_t last = self.message.heads[template.target] + target.most_rows
        cdef int64_t slot, integer
        cdef Step* step
        while target.head[0] < last and self.targets.has_room(template.target):
            slot = target.head[0] & target.mask
            step = template.steps
            q = p
            while True:
                if not tw_literal_at(q, end, step.literal, step.n):
                    return p
                q += step.n
                if step.kind == STEP_F64:
                    q = tw_plain_f64(q, end, &(<double*>step.column)[slot])
                elif step.kind == STEP_INTEGER:
                    q = tw_plain_u63(q, end, &integer)
                    if step.column_kind == KIND_I64:
                        (<int64_t*>step.column)[slot] = integer
                    elif q != NULL and integer <= INT32_MAX:
                        (<int32_t*>step.column)[slot] = <int32_t>integer
                    else:
                        return p
                elif step.kind == STEP_END:
                    break
                else:
                    q = self.value(step, q)
                if q == NULL:
                    return p
                step += 1
            if q >= end or (q[0] != c',' and q[0] != c']'):
                return p
            target.head[0] += 1
            p = q + 1
            if q[0] == c']':
                closed[0] = True
                return p
        return p
