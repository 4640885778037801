"""From a message to its route.

Theory. Scripts are tried first (`_script`). Else the route is predicted from the beginning of the
message, and the prediction is verified by the walk, which observes all that
routing looks at: the route's own conditions, and those of every route declared before it that might
match too. A wrong prediction costs time, never a row. What was observed when a route was last
verified is remembered; the same texts need no second verification.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport Bytecode, Range, RouteOp
from tickwire.decode._runner cimport ScriptRunner
from tickwire.decode._read cimport Reader
from tickwire.decode._script cimport Proof, Script, Scripts, may_fit
from tickwire.decode._stage cimport Outcome, Stage
from tickwire.decode._walk cimport Walker

cdef enum:
    UNROUTED = -1

cdef enum:
    N_PREDICTIONS = 2048        # a power of two
    LONGEST_PREFIX = 96      # bytes of a message's beginning that a prediction looks at

# Which route a message took that began with the same key and value.
cdef struct Prediction:
    uint64_t hash
    int32_t route           # -1: none


@cython.final
cdef class Router:
    cdef Walker walker
    cdef Scripts scripts            # the walker's
    cdef ScriptRunner runner
    cdef Stage stage
    cdef Reader reader
    cdef Bytecode bytecode
    cdef int32_t inside             # which route holds the messages now; -1: they are of their own
    cdef int32_t last               # route of the last message that had one
    cdef Script* script             # what is tried first
    cdef uint32_t n_unread          # messages in a row that no other script has read either
    cdef Prediction predictions[N_PREDICTIONS]
    cdef Proof* proofs              # by route
    # The beginning of the last message that was predicted by its hash, and what was predicted.
    cdef uint8_t prefix[LONGEST_PREFIX]
    cdef size_t prefix_bytes
    cdef Prediction prefix_prediction

    # Stage the rows of a message by a script, NULL for none, if it is one of its route.
    cdef inline bint fits(self, Script* script, const uint8_t* p, const uint8_t* end) \
            noexcept nogil:
        return (
            may_fit(script, p, end)
            and self.runner.perform(script, p, end)
            and (script.verified or self.confirmed(script))
        )

    # The script that was tried first has read a message. One that follows itself is mostly the last
    # already; where it is not, a prediction is worse, and no row.
    cdef inline void follow(self, Script* script) noexcept nogil:
        self.last = script.number
        if script.next != script:
            self.scripts.last = script
            self.script = script.next

    # Stage the rows of a message; `route` tells by which declaration, UNROUTED by none. The script
    # of the last message's route does not fit it.
    cdef Outcome decode(self, const uint8_t* p, const uint8_t* end, int32_t* route) noexcept nogil

    cdef bint confirmed(self, Script* script) noexcept nogil
    cdef bint by_script(self, const uint8_t* p, const uint8_t* end) noexcept nogil
    cdef Outcome by_walk(self, const uint8_t* p, const uint8_t* end, int32_t* route) \
        noexcept nogil
    cdef inline int32_t predict(self, const uint8_t* p, const uint8_t* end, uint64_t* hash) \
        noexcept nogil
    cdef int32_t route_of(self, const uint8_t* p, const uint8_t* end) noexcept nogil
    cdef inline bint verified(self, RouteOp* route, Proof* proof, uint64_t known, uint64_t rivals) \
        noexcept nogil
    cdef inline bint is_proved(self, Proof* proof) noexcept nogil
    cdef void prove(self, Proof* proof) noexcept nogil
    cdef uint64_t _observed_by(self, RouteOp* route)
    cdef uint64_t _observed_in(self, Range tests)
