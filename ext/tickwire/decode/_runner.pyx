"""Scripts where their kernel needs help, and at their end."""

from libc.stdint cimport uint8_t

from tickwire.decode._bytecode cimport RowSetOp
from tickwire.decode._script cimport TW_UNWANTED, TW_WANTED, Script
from tickwire.decode._steps cimport (
    TW_STOP_ADMIT, TW_STOP_EMIT, TW_STOP_END, TW_STOP_MISS, TW_STOP_NODE, TW_STOP_RARE, Run,
    steps_function, tw_has_slack,
)
from tickwire.decode._template cimport Step
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
            if run.stop != TW_STOP_MISS and run.stop != TW_STOP_RARE:
                p = self.help(run, p)
            if run.stop == TW_STOP_MISS or p == NULL:
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
