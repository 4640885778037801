"""The steps of templates; what they are is told in `_template.pxd`, how they run in `steps.h`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._lowered cimport ActionOp, CellOp, NodeOp, RowSetOp
from tickwire.decode._read cimport Reader
from tickwire.decode._targets cimport Target
from tickwire.decode._template cimport (
    MAX_REST, STEP_CHOICE, STEP_F64, STEP_RULE, STORE_1, STORE_2, STORE_4, STORE_8, STORE_NONE,
    STORE_TEXT, Step, Template, expect,
)
from tickwire.decode._values cimport TEXT_STRING, Register, Text, read_scalar
from tickwire.ring._ring cimport (
    KIND_BINARY, KIND_BOOL, KIND_CODE16, KIND_F64, KIND_I64, KIND_TEXT, KIND_TS,
)

cdef extern from "tickwire/predict.h" nogil:
    const uint8_t* tw_plain_string_end(const uint8_t* p, const uint8_t* end)

cdef extern from "tickwire/steps.h" nogil:
    int TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS
    bint tw_store(const Step* step, const Register* reg, int64_t head, int64_t mask)
    void tw_steps_for(run_function* run, row_function* row)


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
        tw_steps_for(&self.run_steps, &self.row_steps)

    cdef const uint8_t* run(self, Template* template, int* at, const uint8_t* p) noexcept nogil:
        cdef int stop
        while True:
            p = self.run_steps(
                template.steps, at, p, self.message.end, self.message.registers,
                &self.message.have, &stop,
            )
            if stop == TW_STOP_END:
                at[0] = template.n_steps
                return p
            if stop == TW_STOP_NODE:
                return p
            if stop == TW_STOP_MISS:
                return NULL
            p = self.help(&template.steps[at[0]], stop, p)
            if p == NULL:
                return NULL
            at[0] += 1

    cdef inline const uint8_t* help(self, Step* step, int stop, const uint8_t* p) noexcept nogil:
        return self.code(step, p) if stop == TW_STOP_CODE else self.by_rule(step, p)

    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil:
        """Look a string up, and expect it the next time."""
        cdef const uint8_t* after = tw_plain_string_end(p, self.message.end)
        if after == NULL:
            return NULL
        if not self.reader.code(<ActionOp*>step.action, p, after - p):
            return NULL
        step.n_words = expect(
            &step.words[0], p, <uint32_t>(after - p) + 1, <uint32_t>(after - p),
            self.message.registers[step.reg].value.i,
        )
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
        if not self.reader.act(<ActionOp*>step.action, &text):
            return NULL
        return text.after

    cdef const uint8_t* row(self, Template* template, const uint8_t* p) noexcept nogil:
        """Write the row that a value is into the columns, and count it.

        Shape    one row at the ring's head.
        Units    as in the columns.
        Returns  behind the text; NULL where it looks otherwise, where there is no room, or with
                 `message.outcome` set where a value is wrong.
        Threads  the loop's thread only.
        Memory   the ring's.
        Source   the theory of templates, in `_template.pxd`.
        """
        cdef Target* target = &self.targets.at[template.target]
        cdef int64_t head = target.head[0]
        if head >= self.message.heads[template.target] + target.most_rows \
                or not self.targets.has_room(template.target):
            return NULL
        p = self.fill_row(template, p, head)
        return p if p != NULL and self.admit(template, head) else NULL

    cdef const uint8_t* rows(self, Template* template, const uint8_t* p, bint* closed) \
            noexcept nogil:
        cdef const uint8_t* end = self.message.end
        cdef const uint8_t* after
        cdef Target* target = &self.targets.at[template.target]
        cdef int64_t last = self.message.heads[template.target] + target.most_rows
        cdef int64_t head = target.head[0]
        while head < last and self.targets.has_room(template.target):
            after = self.fill_row(template, p, head)
            if after == NULL or after >= end or (after[0] != c',' and after[0] != c']'):
                return p
            if not self.admit(template, head):
                return p
            head = target.head[0]
            p = after + 1
            if after[0] == c']':
                closed[0] = True
                return p
        return p

    cdef const uint8_t* fill_row(self, Template* template, const uint8_t* p, int64_t head) \
            noexcept nogil:
        """Fill the row `head` as far as steps do; NULL as `row`."""
        cdef int64_t mask = self.targets.at[template.target].mask
        cdef int at = 0
        cdef int stop
        cdef Step* step
        self.message.have &= ~template.registers
        while True:
            p = self.row_steps(
                template.steps, &at, p, self.message.end, self.message.registers,
                &self.message.have, &stop, head, mask,
            )
            if stop == TW_STOP_END:
                return p
            if stop == TW_STOP_MISS:
                return NULL
            step = &template.steps[at]
            p = self.help(step, stop, p)
            # A null leaves the register as it is, so the row is left to the general way.
            if p == NULL or not (self.message.have >> step.reg) & 1 or not tw_store(
                step, &self.message.registers[step.reg], head, mask
            ):
                return NULL
            at += 1

    cdef bint admit(self, Template* template, int64_t head) noexcept nogil:
        """Count the row if it is wanted; False with `message.outcome` set."""
        cdef bint wanted = True
        cdef int i
        if template.conditional:
            if not self.stage.prepare(template.row_set, &wanted):
                return False
            if not wanted:
                self.message.kept_back |= <uint64_t>1 << template.target
                return True
        for i in range(template.n_rest):
            if not self.stage.store(template.rest[i], head):
                return False
        self.targets.at[template.target].head[0] = head + 1
        return True

    cdef void bind(self, Template* template, NodeOp* node) noexcept nogil:
        cdef RowSetOp* row_set
        cdef int32_t i
        template.direct = False
        if template.n_steps == 0 or not self.is_direct(template, node):
            return
        row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        template.row_set = row_set
        template.target = row_set.target
        template.registers = node.registers
        template.conditional = (
            row_set.needs or row_set.once >= 0 or row_set.configured_only
        )
        template.n_rest = 0
        for i in range(template.n_steps):
            template.steps[i].store = STORE_NONE
        for i in range(row_set.stores.n):
            if not self.place(template, &self.program.cells[row_set.stores.first + i]):
                return
        template.direct = True

    cdef bint is_direct(self, Template* template, NodeOp* node) noexcept nogil:
        """Whether rows depend on nothing but what stands in them."""
        cdef RowSetOp* row_set
        if not template.flat or node.rows.n != 1 or node.observe >= 0 or node.fills.n:
            return False
        row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        return not (row_set.zeros.n or row_set.carry >= 0 or row_set.member >= 0)

    cdef bint place(self, Template* template, CellOp* cell) noexcept nogil:
        """Tell the step that reads a column's value where it goes; False: there are too many."""
        cdef Target* target = &self.targets.at[cell.target]
        cdef Step* step
        cdef int i
        for i in range(template.n_steps):
            step = &template.steps[i]
            if cell.register < 0 or step.reg != cell.register or step.store != STORE_NONE \
                    or not _gives_value(step):
                continue
            step.column = target.columns[cell.column]
            if cell.kind == KIND_TEXT or cell.kind == KIND_BINARY:
                step.column = &target.texts[cell.column]
                step.store = STORE_TEXT
            elif cell.kind == KIND_F64 or cell.kind == KIND_I64 or cell.kind == KIND_TS:
                step.store = STORE_8
            elif cell.kind == KIND_CODE16:
                step.store = STORE_2
            elif cell.kind == KIND_BOOL:
                step.store = STORE_1
            else:
                step.store = STORE_4
            return True
        if template.n_rest == MAX_REST:
            return False
        template.rest[template.n_rest] = cell
        template.n_rest += 1
        return True


cdef inline bint _gives_value(Step* step) noexcept nogil:
    return (
        STEP_F64 <= step.kind <= STEP_CHOICE or step.kind == STEP_RULE
    )
