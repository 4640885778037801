"""Decodes a message by a script.

Theory. Where a script reads a whole message by itself, nothing is called but its kernel; what a
kernel leaves to the fallback, and what is due at the end of a message, stands apart from that.
"""

cimport cython
from libc.stdint cimport uint8_t

from tickwire.decode._script cimport TW_ASK, Script
from tickwire.decode._stage cimport Message, Stage
from tickwire.decode._steps cimport TW_STOP_END, Kernels, Run, Steps, tw_has_slack
from tickwire.decode._walk cimport Walker


@cython.final
cdef class ScriptRunner:
    cdef Walker walker
    cdef Steps steps            # the walker's
    cdef Stage stage
    cdef Message* message       # the stage's
    cdef Kernels kernels        # the walker's

    # Decode a message by a script that has steps.
    #
    # Shape    one payload, p..end; its rows are staged at the heads of the rings.
    # Units    see `Stage.emit`.
    # Returns  False where the message looks otherwise or something about it is wrong; then no row
    #          is staged and nothing remembered, and `Walker.run` must look at it.
    # Threads  the loop's thread only.
    # Memory   the payload is borrowed until the return; nothing is allocated but what new symbols
    #          need.
    # Source   the theory of scripts, in `_script.pxd`.
    cdef inline bint perform(self, Script* script, const uint8_t* p, const uint8_t* end) \
            noexcept nogil:
        cdef Run run
        self.message.end = end
        self.stage.begin(script.route)
        run.steps = script.steps
        run.step = script.steps
        run.end = end
        run.registers = self.message.registers
        run.have = &self.message.have
        run.admitted = TW_ASK
        run.place = NULL
        run.kept_back = 0
        run.labels = self.message.sender.labels
        run.absent = 0
        if tw_has_slack(end):
            p = script.kernel(&run, p)
        else:
            p = self.kernels.script(&run, p)
        if run.stop == TW_STOP_END and not script.must_close:
            script.hits += 1
            return True
        return self.go_on(script, &run, p)

    # From where the kernel has come back.
    cdef bint go_on(self, Script* script, Run* run, const uint8_t* p) noexcept nogil
    cdef const uint8_t* help(self, Run* run, const uint8_t* p) noexcept nogil
    cdef const uint8_t* element(self, Script* script, Run* run) noexcept nogil
    cdef bint close(self, Script* script) noexcept nogil
