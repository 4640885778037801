"""The steps of templates; what they are is told in `_template.pxd`, how they run in `steps.h`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._lowered cimport ActionOp, CellOp, NodeOp, RowSetOp
from tickwire.decode._read cimport Reader
from tickwire.decode._targets cimport Target
from tickwire.decode._template cimport STEP_F64, STEP_INTEGER, Step, Template
from tickwire.decode._values cimport TEXT_STRING, Text, read_scalar

cdef extern from "tickwire/predict.h" nogil:
    const uint8_t* tw_plain_string_end(const uint8_t* p, const uint8_t* end)
    bint tw_set_word(uint64_t* word, const uint8_t* p, uint32_t n)

cdef extern from "tickwire/steps.h" nogil:
    int TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS
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
        tw_steps_for(&self.run_steps, &self.run_row)

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
            if stop == TW_STOP_CODE:
                p = self.code(&template.steps[at[0]], p)
            else:
                p = self.by_rule(&template.steps[at[0]], p)
            if p == NULL:
                return NULL
            at[0] += 1

    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil:
        """Look a string up, and expect it the next time."""
        cdef const uint8_t* after = tw_plain_string_end(p, self.message.end)
        if after == NULL:
            return NULL
        if not self.reader.code(<ActionOp*>step.action, p, after - p):
            return NULL
        step.n_words = tw_set_word(step.words[0].text, p, <uint32_t>(after - p) + 1)
        step.words[0].n = <uint32_t>(after - p) + 1
        step.words[0].result = self.message.registers[step.reg].value.i
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

    cdef void bind(self, Template* template, NodeOp* node) noexcept nogil:
        cdef RowSetOp* row_set
        cdef CellOp* cell
        cdef Step* step
        cdef int32_t i, j
        cdef int32_t n_found = 0
        template.direct = False
        if template.n_steps == 0 or not self.is_direct(template, node):
            return
        row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        for j in range(template.n_steps):
            step = &template.steps[j]
            if step.kind != STEP_F64 and step.kind != STEP_INTEGER:
                continue
            step.column = NULL
            for i in range(row_set.stores.n):
                cell = &self.program.cells[row_set.stores.first + i]
                if cell.register == step.reg:
                    step.column = self.targets.at[row_set.target].columns[cell.column]
                    n_found += 1
            if step.column == NULL:
                return
        template.target = row_set.target
        template.direct = n_found == row_set.stores.n

    cdef bint is_direct(self, Template* template, NodeOp* node) noexcept nogil:
        """Whether rows depend on nothing but the numbers that stand in them."""
        cdef RowSetOp* row_set
        if not template.numeric or node.rows.n != 1 or node.observe >= 0 or node.fills.n:
            return False
        row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        return not (
            row_set.needs or row_set.zeros.n or row_set.once >= 0 or row_set.carry >= 0
            or row_set.member >= 0 or row_set.configured_only
        )

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
        cdef const uint8_t* after
        cdef Target* target = &self.targets.at[template.target]
        cdef int64_t last = self.message.heads[template.target] + target.most_rows
        while target.head[0] < last and self.targets.has_room(template.target):
            after = self.run_row(template.steps, p, end, target.head[0] & target.mask)
            if after == NULL or after >= end or (after[0] != c',' and after[0] != c']'):
                return p
            target.head[0] += 1
            p = after + 1
            if after[0] == c']':
                closed[0] = True
                return p
        return p
