"""The steps of a script that is being learned, one behind the other."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tickwire.decode._bytecode cimport CellOp, RouteOp, RowSetOp
from tickwire.decode._script cimport MAX_SCRIPT_STEPS, Script
from tickwire.decode._steps cimport Steps
from tickwire.decode._template cimport (
    MAX_LITERAL, MOST_SKIPPED, STEP_BACK, STEP_LITERAL, STEP_SIGN, STEP_SKIP, STEP_SKIP_NUMBER,
    STEP_ZERO, STORE_8, Step, skip_string,
)
from tickwire.decode._values cimport tw_skip_value, tw_string_end

cdef uint64_t _nowhere


cdef uint64_t* nowhere() noexcept nogil:
    return &_nowhere


cdef class Draft:
    """What is being learned.

    Parameters
    ----------
    steps
        What helps the kernels that will run it.
    """

    def __cinit__(self, Steps steps):
        self.steps = steps
        self.stage = steps.stage
        self.program = steps.program
        self.targets = steps.targets
        self.message = steps.message

    cdef void begin(self, Script* script, RouteOp* route, const uint8_t* p, const uint8_t* end) \
            noexcept nogil:
        # A place or step is cleared when it begins.
        memset(script, 0, <size_t>(<uint8_t*>script.places - <uint8_t*>script))
        script.route = route
        self.script = script
        self.route = route
        self.end = end
        self.strict = self.strict_of(route)
        memset(&self.progress, 0, sizeof(Progress))
        self.progress.at = p

    cdef Progress note(self) noexcept nogil:
        self.progress.n_steps = self.script.n_steps
        self.progress.n_places = self.script.n_places
        self.progress.n_late = self.script.n_late
        return self.progress

    cdef void return_to(self, const Progress* progress) noexcept nogil:
        self.progress = progress[0]
        self.script.n_steps = progress.n_steps
        self.script.n_places = progress.n_places
        self.script.n_late = progress.n_late

    cdef uint64_t strict_of(self, RouteOp* route) noexcept nogil:
        """Registers that must have a value, or of which rows depend."""
        cdef RowSetOp* row_set
        cdef CellOp* cell
        cdef uint64_t strict = 0
        cdef int32_t i, j
        for i in range(route.row_sets.n):
            row_set = &self.program.row_sets[route.row_sets.first + i]
            strict |= row_set.needs
            if row_set.symbol >= 0:
                strict |= <uint64_t>1 << row_set.symbol
            for j in range(row_set.zeros.n):
                strict |= <uint64_t>1 << self.program.numbers[row_set.zeros.first + j]
            for j in range(0, row_set.conditions.n, 2):
                strict |= <uint64_t>1 << self.program.numbers[row_set.conditions.first + j]
            for j in range(row_set.stores.n + row_set.empty.n):
                cell = &self.program.cells[row_set.stores.first + j]
                if j >= row_set.stores.n:
                    cell = &self.program.cells[row_set.empty.first + j - row_set.stores.n]
                if cell.required and cell.register >= 0:
                    strict |= <uint64_t>1 << cell.register
        return strict

    cdef Step* add(self, int kind, int32_t register) noexcept nogil:
        cdef Script* script = self.script
        cdef Step* step = &script.steps[script.n_steps]
        if script.n_steps == MAX_SCRIPT_STEPS:
            return NULL
        memset(step, 0, sizeof(Step))
        memcpy(step.literal, self.progress.pending, self.progress.n_pending)
        step.n = self.progress.n_pending
        step.mask = <uint32_t>((<uint64_t>1 << step.n) - 1)
        step.kind = kind
        step.turn = -1
        step.before = self.progress.have
        step.reg = max(register, 0)
        step.place = &self.message.registers[step.reg]
        step.store = STORE_8
        step.column = &_nowhere
        self.progress.n_pending = 0
        script.n_steps += 1
        if register >= 0 and kind != STEP_ZERO:
            step.gives = <uint64_t>1 << register
            self.progress.have |= step.gives
        return step

    cdef bint reach(self, const uint8_t* p) noexcept nogil:
        cdef Progress* progress = &self.progress
        cdef size_t part
        while progress.at < p:
            if progress.n_pending == MAX_LITERAL and self.add(STEP_LITERAL, -1) == NULL:
                return False
            part = min(<size_t>(p - progress.at), <size_t>(MAX_LITERAL - progress.n_pending))
            memcpy(progress.pending + progress.n_pending, progress.at, part)
            progress.n_pending += <uint32_t>part
            progress.at += part
        return True

    cdef bint back(self, bint quoted) noexcept nogil:
        cdef Step* step = &self.script.steps[self.script.n_steps - 1]
        if step.kind == STEP_SIGN:
            return True
        step = self.add(STEP_BACK, -1)
        if step == NULL:
            return False
        step.quoted = quoted
        return True

    cdef const uint8_t* skip(self, const uint8_t* p) noexcept nogil:
        cdef const uint8_t* after = tw_skip_value(p, self.end)
        cdef bint quoted = p[0] == c'"'
        cdef Step* step
        if p[0] == c'[' and self.are_strings(p):
            return self.skip_strings(p)
        if not self.reach(p + quoted):
            return NULL
        step = self.add(STEP_SKIP, -1)
        if step == NULL:
            return NULL
        step.first = p[0]
        step.quoted = quoted
        if quoted:
            skip_string(step, after - p - 2)
        elif c'0' <= p[0] <= c'9':
            step.kind = STEP_SKIP_NUMBER
        self.progress.at = after - quoted
        return after

    cdef const uint8_t* skip_behind(self, const uint8_t* p, size_t n, const uint8_t* after) \
            noexcept nogil:
        cdef Step* step
        if not self.reach(p + 1 + n):
            return NULL
        step = self.add(STEP_SKIP, -1)
        if step == NULL:
            return NULL
        step.first = c'"'
        step.quoted = True
        skip_string(step, after - p - 2 - n)
        self.progress.at = after - 1
        return after

    cdef bint are_strings(self, const uint8_t* p) noexcept nogil:
        """Whether an array holds a few strings without escapes, and nothing else."""
        cdef bint escaped
        cdef int _n
        for _n in range(MOST_SKIPPED):
            if p[1] != c'"':
                return False
            p = tw_string_end(p + 2, self.end, &escaped)
            if p == NULL or escaped:
                return False
            p += 1
            if p[0] == c']':
                return True
            if p[0] != c',':
                return False
        return False

    cdef const uint8_t* skip_strings(self, const uint8_t* p) noexcept nogil:
        """Steps for each of them."""
        cdef const uint8_t* stop
        cdef Step* step
        cdef bint escaped
        while p[0] != c']':
            if not self.reach(p + 2):
                return NULL
            step = self.add(STEP_SKIP, -1)
            if step == NULL:
                return NULL
            stop = tw_string_end(p + 2, self.end, &escaped)
            step.quoted = True
            step.first = c'"'
            skip_string(step, stop - p - 2)
            self.progress.at = stop
            p = stop + 1
        return p + 1
