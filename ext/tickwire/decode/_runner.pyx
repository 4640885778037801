"""Scripts where their kernel needs help, and at their end."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from tickwire.decode._bytecode cimport RowSetOp
from tickwire.decode._script cimport (
    ODD_FORGIVEN, TW_UNWANTED, TW_WANTED, Place, Script, tw_last_row_with_room, tw_share_cells,
)
from tickwire.decode._steps cimport (
    TW_STOP_ADMIT, TW_STOP_EMIT, TW_STOP_END, TW_STOP_MISS, TW_STOP_NODE, TW_STOP_RARE, Run,
    steps_function, tw_has_slack,
)
from tickwire.decode._template cimport STEP_PLAIN_END, Step
from tickwire.decode._values cimport tw_skip_space
from tickwire.decode._walk cimport Walker


cdef class ScriptRunner:
    """What decodes by scripts.

    Parameters
    ----------
    walker
        Reads what a kernel cannot.
    """

    def __cinit__(self, Walker walker):
        self.walker = walker
        self.steps = walker.steps
        self.stage = walker.stage
        self.message = walker.message
        self.kernels = walker.kernels

    cdef bint go_on(self, Script* script, Run* run, const uint8_t* p) noexcept nogil:
        cdef steps_function kernel = script.kernel
        while run.stop != TW_STOP_END:
            if run.stop == TW_STOP_RARE or run.stop == TW_STOP_ADMIT:
                kernel = self.kernels.script_slack
            if run.stop == TW_STOP_MISS:
                p = self.element(script, run)
            elif run.stop != TW_STOP_RARE:
                p = self.help(run, p)
            if p == NULL:
                self.stage.rollback(script.route)
                return False
            if tw_has_slack(run.end):
                p = kernel(run, p)
            else:
                p = self.kernels.script(run, p)
        self.message.kept_back |= run.kept_back
        if self.close(script):
            script.hits += 1
            return True
        self.stage.rollback(script.route)
        return False

    cdef bint close(self, Script* script) noexcept nogil:
        """What is due at the end of a message."""
        cdef int i
        for i in range(script.n_late):
            if not self.stage.fill(script.late[i], NULL):
                return False
        return self.walker.close(script.route, script.fills)

    cdef const uint8_t* help(self, Run* run, const uint8_t* p) noexcept nogil:
        """What the kernel has stopped for: where it may go on, or NULL."""
        cdef bint wanted = True
        cdef Step* step = <Step*>run.step
        if run.stop == TW_STOP_ADMIT:
            if not self.stage.prepare(<RowSetOp*>run.place.row_set, &wanted):
                return NULL
            run.admitted = TW_WANTED if wanted else TW_UNWANTED
            return p
        run.step += 1
        if run.stop == TW_STOP_EMIT:
            return p if self.stage.emit(<RowSetOp*>step.action) else NULL
        if run.stop == TW_STOP_NODE:
            return self.walker.value(step.node, p)
        return self.steps.help_row(step, run.stop, p, run.row)

    cdef const uint8_t* element(self, Script* script, Run* run) noexcept nogil:
        """Walk an element of a plain list that looks otherwise than the others.

        NULL where there is none, or where there are so many that another script had better be
        learned.
        """
        cdef const Place* place = run.place
        cdef const uint8_t* end = run.end
        cdef const uint8_t* p
        cdef uint64_t registers
        cdef int64_t row
        if place == NULL or run.element == NULL or place.last.kind != STEP_PLAIN_END \
                or run.step < place.first or run.step > place.last:
            return NULL
        if place.is_routed and (run.element - 1)[0] == c'[':
            return NULL     # its route may be another
        if place.ring.head >= run.last and place.ring.head >= tw_last_row_with_room(place):
            return NULL     # no room
        script.n_odd += 1
        if script.n_odd > ODD_FORGIVEN + script.hits // 2:
            return NULL
        row = place.ring.head
        tw_share_cells(place, 0, run.first_row, row, run.labels)
        registers = self.walker.program.nodes[place.element].registers
        self.message.have &= ~registers
        p = self.walker.value(place.element, tw_skip_space(run.element, end))
        if p == NULL:
            return NULL
        # As the steps leave them: a row's values are its own.
        self.message.have &= ~registers
        tw_share_cells(place, place.n_own, row, place.ring.head, run.labels)
        run.first_row = run.row = place.ring.head
        p = tw_skip_space(p, end)
        if p >= end or (p[0] != c',' and p[0] != c']'):
            return NULL
        if p[0] == c']':
            run.step = place.last + 1
            return p + 1
        run.last = tw_last_row_with_room(place)
        if run.row >= run.last:
            return NULL
        run.step = place.first
        run.element = p + 1
        return run.element
