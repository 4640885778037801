"""The steps of templates; `_template.pxd` explains what they are, `steps.h` how they run."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free

from tickwire.decode._bytecode cimport OP_TEXT, ActionOp, CellOp, NodeOp, RowSetOp
from tickwire.decode._read cimport Reader
from tickwire.decode._template cimport (
    MAX_REST, STEP_CHOICE, STEP_CODE, STEP_F64, STEP_INTEGER, STEP_RULE, STORE_1, STORE_2,
    STORE_4, STORE_8, STORE_TEXT, Known, Step, Template,
)
from tickwire.decode._values cimport TEXT_STRING, Register, Text, read_scalar, tw_string_end
from tickwire.ring._tw_ring cimport (
    KIND_BINARY, KIND_BOOL, KIND_CODE16, KIND_F64, KIND_I64, KIND_TEXT, KIND_TS, TEXT_OK,
    tw_column, tw_put_text, tw_ring,
)

cdef extern from "tickwire/decode/fast_scalars.h" nogil:
    const uint8_t* tw_plain_string_end(const uint8_t* p, const uint8_t* end)

cdef extern from "tickwire/decode/step.h" nogil:
    bint tw_store(const Step* step, const Register* reg, int64_t row, bint checked)

cdef enum:
    STAMP = 256     # how much the stamp of each template of levels is above the last


cdef class Steps:
    """Reads what repeats.

    Parameters
    ----------
    reader
        Reads by the fallback what a step finds unusual.
    """

    def __cinit__(self, Reader reader):
        self.reader = reader
        self.stage = reader.stage
        self.program = reader.program
        self.targets = reader.stage.targets
        self.message = reader.message

    def __dealloc__(self):
        for number in range(N_DICTIONARIES):
            tw_free_symbol_cache(self.known[number])
        free(self.cached_levels_memory)

    cdef const uint8_t* help(self, Step* step, int stop, const uint8_t* p) noexcept nogil:
        self.message.have &= ~(<uint64_t>1 << step.reg)
        return self.code(step, p) if stop == TW_STOP_CODE else self.by_rule(step, p)

    cdef const uint8_t* help_row(self, Step* step, int stop, const uint8_t* p, int64_t row) \
            noexcept nogil:
        p = self.help(step, stop, p)
        # A null leaves the register as it is, so the row is left to the fallback.
        if p == NULL or not (self.message.have >> step.reg) & 1:
            return NULL
        if tw_store(step, step.place, row, True):
            return p
        return p if step.place.escaped and self.store_escaped(step, row) else NULL

    cdef bint store_escaped(self, Step* step, int64_t row) noexcept nogil:
        """A text with escapes into its column, in the row at the head of its ring."""
        cdef tw_ring* ring
        cdef tw_column* column = <tw_column*>step.column
        cdef const uint8_t* text
        cdef size_t n
        cdef int number
        for number in range(self.targets.n):
            ring = self.targets.at[number]
            if ring != NULL and ring.columns <= column < ring.columns + ring.n_columns:
                return row == ring.head and self.stage.plain(step.place, &text, &n) \
                    and tw_put_text(ring, <int>(column - ring.columns), text, n) == TEXT_OK
        return False

    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil:
        """Look a string up, so that it is known the next time."""
        cdef ActionOp* action = <ActionOp*>step.action
        cdef const uint8_t* after = tw_plain_string_end(p, self.message.end)
        cdef Known** known = &self.known[action.dictionary]
        if after == NULL or not self.reader.code(action, p, after - p):
            return NULL
        if known[0] == NULL:
            known[0] = tw_new_symbol_cache()
        if known[0] != NULL:
            tw_learn_symbol(
                known[0], p, after - p, <int32_t>self.message.registers[step.reg].value.i
            )
        step.known = known[0]
        return after

    cdef const uint8_t* by_rule(self, Step* step, const uint8_t* p) noexcept nogil:
        """The value of a step by the fallback."""
        cdef Text text
        if step.quoted:
            text.after = tw_string_end(p, self.message.end, &text.escaped)
            if text.after == NULL or (
                text.escaped and (<ActionOp*>step.action).op != OP_TEXT
            ):
                return NULL
            text.form = TEXT_STRING
            text.p = p
            text.n = text.after - p
        elif not read_scalar(p, self.message.end, &text) or text.form == TEXT_STRING:
            return NULL
        if not self.reader.act(<ActionOp*>step.action, &text):
            return NULL
        return text.after

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
        template.conditional = row_set.needs or row_set.once >= 0
        template.n_rest = 0
        for i in range(template.n_steps):
            template.steps[i].store = STORE_8
            template.steps[i].column = &template.nowhere
            template.steps[i].slots = 0
            if row_set.once >= 0 and template.steps[i].kind == STEP_CODE \
                    and template.steps[i].reg == row_set.symbol:
                template.steps[i].warm = &self.stage.seen.memories[row_set.once]
        for i in range(row_set.stores.n):
            if not self.place(template, &self.program.cells[row_set.stores.first + i]):
                return
        # `Walker.each` fills the constants of plain rows, all at once.
        for i in range(row_set.fills.n if template.conditional or template.n_rest else 0):
            if not self.place(template, &self.program.cells[row_set.fills.first + i]):
                return
        template.plain = not template.conditional and template.n_rest == 0
        template.levels = template.plain and tw_are_levels(template.steps, template.n_steps) \
            and self.learn_levels(&template.level_cache, template.steps, template.n_steps)
        template.direct = True

    cdef bint is_direct(self, Template* template, NodeOp* node) noexcept nogil:
        """Whether rows depend on nothing but what stands in them."""
        cdef RowSetOp* row_set
        if not template.flat or node.rows.n != 1 or node.observe >= 0 or node.fills.n:
            return False
        row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        return not (
            row_set.zeros.n or row_set.conditions.n or row_set.carry >= 0 or row_set.member >= 0
            or row_set.id_parts.n
        )

    cdef bint learn_levels(self, LevelCache* level_cache, Step* steps, int n) noexcept nogil:
        if self.cached_levels_memory == NULL:
            self.cached_levels = tw_make_cached_levels(&self.cached_levels_memory)
        self.stamp += STAMP
        return tw_learn_level_cache(
            level_cache, steps, n, self.cached_levels if _are_in_rows(steps, n) else NULL,
            self.stamp,
        )

    cdef bint place(self, Template* template, CellOp* cell) noexcept nogil:
        """Tell the step that reads a column's value where it goes; False: there are too many."""
        cdef tw_ring* ring = self.targets.at[cell.target]
        cdef Step* step
        cdef int i
        for i in range(template.n_steps):
            step = &template.steps[i]
            # A channel's name may be another for a connection.
            if cell.register < 0 or cell.is_channel or step.reg != cell.register \
                    or step.column != &template.nowhere or not _gives_value(step):
                continue
            step.column = ring.columns[cell.column].values
            step.slots = ring.mask
            step.store = kind_of_store(cell.kind)
            if step.store == STORE_TEXT:
                step.column = &ring.columns[cell.column]
            return True
        if template.n_rest == MAX_REST:
            return False
        template.rest[template.n_rest] = cell
        template.n_rest += 1
        return True


cdef int kind_of_store(int kind) noexcept nogil:
    if kind == KIND_TEXT or kind == KIND_BINARY:
        return STORE_TEXT
    if kind == KIND_F64 or kind == KIND_I64 or kind == KIND_TS:
        return STORE_8
    if kind == KIND_CODE16:
        return STORE_2
    return STORE_1 if kind == KIND_BOOL else STORE_4


cdef bint _are_in_rows(const Step* steps, int n) noexcept nogil:
    """Whether both decimals of levels have columns, and an integer that has one has 32 bits."""
    if steps[0].slots == 0 or steps[1].slots != steps[0].slots:
        return False
    return n == 3 or steps[n - 2].kind != STEP_INTEGER \
        or (steps[n - 2].store == STORE_4 and steps[n - 2].slots == steps[0].slots)


cdef inline bint _gives_value(Step* step) noexcept nogil:
    return STEP_F64 <= step.kind <= STEP_CHOICE or step.kind == STEP_RULE
