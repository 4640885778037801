"""Rows by steps, and what they have that no step reads; the theory is in the declaration."""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memset

from tickwire.decode._bytecode cimport CellOp, NodeOp, Range, RowSetOp
from tickwire.decode._draft cimport Draft, Progress, nowhere
from tickwire.decode._script cimport MAX_CELLS, MAX_LATE, MAX_PLACES, Cell, Place, Script
from tickwire.decode._steps cimport kind_of_store, tw_are_levels
from tickwire.decode._template cimport (
    STEP_CODE, STEP_EMIT, STEP_PLAIN_END, STEP_PLAIN_ROWS, STEP_ROWS, STEP_ROW_END, STEP_ZERO,
    STORE_NO_TEXT, STORE_TEXT, Step,
)
from tickwire.ring._tw_ring cimport KIND_BINARY, KIND_TEXT, tw_ring


cdef class RowDraft:
    """The rows of a script that is being learned.

    Parameters
    ----------
    draft
        The script.
    """

    def __cinit__(self, Draft draft):
        self.draft = draft

    cdef bint can_loop(self, RowSetOp* row_set) noexcept nogil:
        return not (
            row_set.conditions.n or row_set.carry >= 0 or row_set.member >= 0
            or row_set.id_parts.n
        )

    cdef bint has_needed(self, RowSetOp* row_set) noexcept nogil:
        """Whether the values are there without which there is no row."""
        cdef Progress* progress = &self.draft.progress
        return row_set.needs & ~progress.have == 0 and row_set.needs & progress.unsure == 0

    cdef bint begin(self, RowSetOp* row_set, const uint8_t* p, bint is_list) noexcept nogil:
        cdef Script* script = self.draft.script
        cdef Place* place = &script.places[script.n_places]
        cdef Step* step
        if script.n_places == MAX_PLACES or not self.draft.reach(p) \
                or (self.draft.progress.closed >> row_set.target) & 1:
            return False
        step = self.draft.add(STEP_ROWS, -1)
        if step == NULL:
            return False
        script.n_places += 1
        step.rows = place
        memset(place, 0, sizeof(Place))
        place.ring = self.draft.targets.at[row_set.target]
        place.first = step + 1
        place.bit = <uint64_t>1 << row_set.target
        place.row_set = row_set
        place.is_list = is_list
        self.draft.progress.row = place
        return True

    cdef bint end(self, RowSetOp* row_set) noexcept nogil:
        cdef int32_t* pairs = &self.draft.program.numbers[row_set.zeros.first]
        cdef int32_t i
        if not self.has_needed(row_set) or not self.bind(row_set):
            return False
        for i in range(0, row_set.zeros.n, 2):
            if not self.zero(pairs[i], pairs[i + 1]):
                return False
        self.draft.progress.row.last = self.draft.add(STEP_ROW_END, -1)
        if self.draft.progress.row.last == NULL:
            return False
        if self.is_plain(row_set):
            self.make_plain()
        self.draft.progress.row = NULL
        return True

    cdef bint is_plain(self, RowSetOp* row_set) noexcept nogil:
        """Whether each row of the list is requested, and no step reads what the others leave."""
        cdef Place* place = self.draft.progress.row
        cdef const Step* step
        cdef int32_t i
        if not place.is_list or row_set.once >= 0 or row_set.zeros.n:
            return False
        for i in range(place.n_cells):
            step = place.first
            while step < place.last:
                if step.action != NULL and place.cells[i].value == &step.place.value:
                    return False
                step += 1
        return True

    cdef void make_plain(self) noexcept nogil:
        cdef Place* place = self.draft.progress.row
        cdef Step* steps = <Step*>place.first
        cdef int n = <int>(place.last - place.first) + 1
        (steps - 1).kind = STEP_PLAIN_ROWS
        steps[n - 1].kind = STEP_PLAIN_END
        if tw_are_levels(steps, n) and self.draft.steps.learn_levels(&place.levels, steps, n):
            place.level_cache = &place.levels

    cdef bint emit(self, RowSetOp* row_set) noexcept nogil:
        cdef Progress progress = self.draft.note()
        cdef Step* step
        cdef int32_t i
        if progress.row != NULL or (progress.closed >> row_set.target) & 1:
            return False
        if self.copy(row_set):
            return True
        self.draft.return_to(&progress)
        step = self.draft.add(STEP_EMIT, -1)
        if step == NULL:
            return False
        step.action = row_set
        if row_set.fills.n and (
            self.draft.script.n_places or self.draft.progress.walked or not self.late(row_set.fills)
        ):
            return False
        self.draft.progress.walked |= <uint64_t>1 << row_set.target
        # Registers without a value hold what was carried over from now on.
        for i in range(0, row_set.carried.n, 2):
            self.draft.progress.unsure |= (
                <uint64_t>1 << self.draft.program.numbers[row_set.carried.first + i]
            )
        return True

    cdef bint copy(self, RowSetOp* row_set) noexcept nogil:
        """A row whose values are all in registers, none of them a text."""
        cdef CellOp* cells = &self.draft.program.cells[row_set.stores.first]
        cdef int32_t i
        if not self.can_loop(row_set) or row_set.zeros.n or row_set.once >= 0:
            return False
        for i in range(row_set.stores.n):
            if cells[i].kind == KIND_TEXT or cells[i].kind == KIND_BINARY:
                return False
        return self.begin(row_set, self.draft.progress.at, False) and self.end(row_set)

    cdef bint bind(self, RowSetOp* row_set) noexcept nogil:
        """Tell the steps of the row where their values go, and what no step reads."""
        cdef CellOp* cells = self.draft.program.cells
        cdef int32_t i
        for i in range(row_set.stores.n):
            if not self.cell(&cells[row_set.stores.first + i]):
                return False
        self.draft.progress.row.n_own = self.draft.progress.row.n_cells
        for i in range(row_set.fills.n):
            if not self.rest(self.draft.progress.row, &cells[row_set.fills.first + i]):
                return False
        return row_set.once < 0 or self.remember(row_set)

    cdef bint remember(self, RowSetOp* row_set) noexcept nogil:
        """What tells whether the row's trade is new."""
        cdef Place* place = self.draft.progress.row
        cdef Step* step = <Step*>place.first
        if self.draft.is_unsure(row_set.symbol) or self.draft.is_unsure(row_set.trade_id) \
                or self.draft.is_unsure(row_set.time) or self.draft.is_unsure(row_set.price):
            return False
        place.symbol = &self.draft.message.registers[row_set.symbol]
        place.trade_id = &self.draft.message.registers[row_set.trade_id]
        place.facts.time = &self.draft.message.registers[row_set.time].value.i
        place.facts.price = &self.draft.message.registers[row_set.price].value.i
        place.memory = &self.draft.stage.seen.memories[row_set.once]
        while step < &self.draft.script.steps[self.draft.script.n_steps]:
            if step.kind == STEP_CODE and step.reg == row_set.symbol:
                step.warm = place.memory
            step += 1
        return True

    cdef Step* reading(self, int32_t register) noexcept nogil:
        """The row's next step that reads a register and has no column yet; NULL for none."""
        cdef Step* step = <Step*>self.draft.progress.row.first
        while step < &self.draft.script.steps[self.draft.script.n_steps]:
            if step.reg == register and step.action != NULL and step.column == nowhere():
                return step
            step += 1
        return NULL

    cdef bint cell(self, CellOp* op) noexcept nogil:
        """A column by the step that reads its value, or as one that no step reads."""
        cdef tw_ring* ring = self.draft.targets.at[op.target]
        cdef Step* step = NULL
        # A channel's name may be another for a connection.
        if op.register >= 0 and not op.is_channel:
            step = self.reading(op.register)
        if step == NULL:
            return self.rest(self.draft.progress.row, op)
        step.column = ring.columns[op.column].values
        step.slots = ring.mask
        step.store = kind_of_store(op.kind)
        if step.store == STORE_TEXT:
            step.column = &ring.columns[op.column]
        return True

    cdef bint zero(self, int32_t register, int32_t condition) noexcept nogil:
        """A value that is 0 where another says so."""
        cdef Step* step = <Step*>self.draft.progress.row.first
        cdef Step* stop = &self.draft.script.steps[self.draft.script.n_steps]
        cdef Step* made
        if self.draft.is_unsure(condition) or self.draft.is_unsure(register):
            return False
        if not (self.draft.progress.have >> condition) & 1:
            return True
        while step < stop:
            if step.reg == register and step.action != NULL and step.column != nowhere():
                made = self.draft.add(STEP_ZERO, condition)
                if made == NULL:
                    return False
                made.column = step.column
                made.slots = step.slots
                return True
            step += 1
        return False

    cdef bint rest(self, Place* place, CellOp* op) noexcept nogil:
        """A column of a row that no step reads; False where its value is not known in time."""
        cdef tw_ring* ring = self.draft.targets.at[op.target]
        cdef Cell* cell = &place.cells[place.n_cells]
        cdef bint has_value = op.register >= 0 and (self.draft.progress.have >> op.register) & 1
        if place.n_cells == MAX_CELLS or (op.register >= 0 and self.draft.is_unsure(op.register)):
            return False
        if op.required and op.register >= 0 and not (
            has_value and (self.draft.strict >> op.register) & 1
        ):
            return False
        cell.column = ring.columns[op.column].values
        cell.slots = ring.mask
        cell.store = kind_of_store(op.kind)
        if op.kind == KIND_TEXT or op.kind == KIND_BINARY:
            if has_value:
                return False
            cell.column = &ring.columns[op.column]
            cell.store = STORE_NO_TEXT
        cell.is_channel = op.is_channel
        cell.constant = op.constant
        cell.value = &cell.constant
        if has_value:
            cell.value = &self.draft.message.registers[op.register].value
        place.n_cells += 1
        return True

    cdef bint fill(self, NodeOp* node, int first, uint64_t walked) noexcept nogil:
        cdef Script* script = self.draft.script
        cdef Place* place
        cdef CellOp* op
        cdef int32_t n_cells[MAX_PLACES]
        cdef int32_t i, j
        cdef int n_late = script.n_late
        cdef uint64_t closed = self.draft.progress.closed
        cdef bint good = True
        # What is not known yet can be filled behind all rows of the message, where these are all.
        cdef bint is_whole = first == 0 and walked == 0
        for j in range(first, script.n_places):
            n_cells[j] = script.places[j].n_cells
        for i in range(node.fills.n):
            op = &self.draft.program.cells[node.fills.first + i]
            good = good and not ((self.draft.progress.walked ^ walked) >> op.target) & 1
            if good and is_whole and not self.are_settled(op):
                good = self.late_cell(node.fills.first + i, op)
                continue
            for j in range(first, script.n_places):
                place = &script.places[j]
                if (place.bit >> op.target) & 1:
                    good = good and self.is_settled(place, op) and self.rest(place, op)
        if not good:
            script.n_late = n_late
            self.draft.progress.closed = closed
            for j in range(first, script.n_places):
                script.places[j].n_cells = n_cells[j]
        return good

    cdef bint are_settled(self, CellOp* op) noexcept nogil:
        """Whether a value is settled in all places of its table."""
        cdef Place* place
        cdef int32_t j
        for j in range(self.draft.script.n_places):
            place = &self.draft.script.places[j]
            if (place.bit >> op.target) & 1 and not self.is_settled(place, op):
                return False
        return True

    cdef bint late_cell(self, int32_t number, CellOp* op) noexcept nogil:
        """Fill a column at the end of the message, together with the one before it if that is."""
        cdef Script* script = self.draft.script
        cdef Range* last
        cdef Range one
        if script.n_late and (self.draft.progress.closed >> op.target) & 1:
            last = &script.late[script.n_late - 1]
            if last.first + last.n == number:
                last.n += 1
                return True
        one.first = number
        one.n = 1
        # Another column of these rows may be late already.
        self.draft.progress.closed &= ~(<uint64_t>1 << op.target)
        return self.late(one)

    cdef bint is_settled(self, Place* place, CellOp* op) noexcept nogil:
        """Whether a value is known where a row ends, or never."""
        return op.register < 0 \
            or ((place.last.before ^ self.draft.progress.have) >> op.register) & 1 == 0

    cdef bint late(self, Range cells) noexcept nogil:
        cdef uint64_t bits = 0
        cdef int32_t i
        for i in range(cells.n):
            bits |= <uint64_t>1 << self.draft.program.cells[cells.first + i].target
        if self.draft.script.n_late == MAX_LATE or bits & self.draft.progress.closed:
            return False
        self.draft.progress.closed |= bits
        self.draft.script.late[self.draft.script.n_late] = cells
        self.draft.script.n_late += 1
        return True
