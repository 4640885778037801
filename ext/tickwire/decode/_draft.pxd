"""A script that is being learned: its steps, and what is known where each of them stands.

Theory. The text has just been accepted by the walk, so nothing is checked here. It is gone through
once, and each value becomes a step whose literal is the text between it and the value before. What
cannot be learned is taken back to where it began, and walked there.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport Bytecode, RouteOp
from tickwire.decode._script cimport Place, Script
from tickwire.decode._stage cimport Message, Stage
from tickwire.decode._steps cimport Steps
from tickwire.decode._targets cimport Targets
from tickwire.decode._template cimport Step

# How far a text has been learned.
cdef struct Progress:
    const uint8_t* at       # up to here it is in literals and values
    Place* row              # that the steps are of; NULL outside of rows
    uint64_t have           # registers that have a value here
    uint64_t unsure         # those that a walk within may set
    uint64_t dynamic        # observed ones whose texts are not in literals
    uint64_t walked         # tables whose rows no place gives, a bit each
    uint64_t closed         # tables that are to have no more rows
    int n_steps             # of the script, when this was noted; the next three too
    int n_places
    int n_late
    uint32_t n_pending
    uint8_t pending[32]     # of the literal that the next step begins with


@cython.final
cdef class Draft:
    cdef Bytecode program
    cdef Stage stage
    cdef Steps steps
    cdef Targets targets
    cdef Message* message   # the stage's
    # ---- of the text that is being learned
    cdef Script* script
    cdef RouteOp* route
    cdef const uint8_t* end
    cdef uint64_t strict    # registers without which there is no row
    cdef Progress progress

    cdef void begin(self, Script* script, RouteOp* route, const uint8_t* p, const uint8_t* end) \
        noexcept nogil
    # What `return_to` takes everything behind it back to.
    cdef Progress note(self) noexcept nogil
    cdef void return_to(self, const Progress* progress) noexcept nogil
    cdef uint64_t strict_of(self, RouteOp* route) noexcept nogil
    cdef inline bint is_unsure(self, int32_t register) noexcept nogil:
        return (self.progress.unsure >> register) & 1

    # A step behind what is pending; NULL: there are too many.
    cdef Step* add(self, int kind, int32_t register) noexcept nogil
    # The literal of the next step goes on up to p.
    cdef bint reach(self, const uint8_t* p) noexcept nogil
    # Read what has just been read, which ends here, once more.
    cdef bint back(self, bint quoted) noexcept nogil
    # A value that is not requested: its end, or NULL.
    cdef const uint8_t* skip(self, const uint8_t* p) noexcept nogil
    # A string of which the first n bytes are in the literals; `after` is its end.
    cdef const uint8_t* skip_behind(
        self, const uint8_t* p, size_t n, const uint8_t* after
    ) noexcept nogil
    cdef const uint8_t* skip_strings(self, const uint8_t* p) noexcept nogil
    cdef bint are_strings(self, const uint8_t* p) noexcept nogil

# What the values of steps without a column go into; it is never read.
cdef uint64_t* nowhere() noexcept nogil
