"""Which declaration a message is one of; the theory is in the declaration."""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from tickwire.decode._bytecode cimport ROUTE_BACKFILL, ROUTE_SNAPSHOT, Range, RouteOp
from tickwire.decode._runner cimport ScriptRunner
from tickwire.decode._script cimport Script
from tickwire.decode._stage cimport DONE, FULL, Outcome
from tickwire.decode._values cimport TEXT_STRING, Register, Text, tw_string_end
from tickwire.decode._walk cimport Walker

cdef extern from "tickwire/base/bits.h" nogil:
    int tw_lowest_bit(uint64_t value)


cdef class Router:
    """Finds the route of each message of a source, and has its rows staged by it.

    Parameters
    ----------
    walker
        What stages them.
    """

    def __cinit__(self, Walker walker):
        self.walker = walker
        self.scripts = walker.scripts
        self.runner = ScriptRunner(walker)
        self.stage = walker.stage
        self.reader = walker.reader
        self.bytecode = walker.program
        self.last = UNROUTED
        for i in range(N_PREDICTIONS):
            self.predictions[i].route = UNROUTED
        self.proofs = <Proof*>calloc(max(self.bytecode.n_routes, 1), sizeof(Proof))
        if self.proofs == NULL:
            raise MemoryError
        for i in range(self.bytecode.n_routes):
            self.proofs[i].n_texts = -1
            self.proofs[i].observed = self._observed_by(&self.bytecode.routes[i])

    def __dealloc__(self):
        free(self.proofs)

    cdef uint64_t _observed_by(self, RouteOp* route):
        """Registers that routing looks at before it takes this route, a bit each."""
        cdef uint64_t observed = self._observed_in(route.tests)
        cdef int32_t* numbers = &self.bytecode.numbers[route.rivals.first]
        cdef Range tests
        for i in range(0, route.rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            observed |= self._observed_in(tests)
        return observed

    cdef uint64_t _observed_in(self, Range tests):
        cdef uint64_t observed = 0
        for i in range(tests.n):
            observed |= <uint64_t>1 << self.bytecode.tests[tests.first + i].register
        return observed

    cdef Outcome decode(self, const uint8_t* p, const uint8_t* end, int32_t* route) noexcept nogil:
        cdef Outcome outcome = self.stage_rows(p, end, route)
        if self.last != UNROUTED:
            self.script = self.scripts.at[self.last]
            # To walk what is of another route would cost more than to look which one it is of.
            if self.script != NULL and self.script.walks:
                self.script = NULL
        return outcome

    cdef Outcome stage_rows(self, const uint8_t* p, const uint8_t* end, int32_t* route) \
            noexcept nogil:
        cdef Outcome outcome = DONE
        cdef Script* script
        cdef uint64_t hash = 0
        cdef int32_t predicted = self.predict(p, end, &hash)
        if predicted != UNROUTED:
            route[0] = predicted
            script = self.scripts.at[predicted]
            if script != self.script and self.fits(script, p, end):
                self.last = predicted
                return DONE
            outcome = self.walker.run(predicted, p, end, False)
            if outcome == FULL:
                return FULL
            if outcome == DONE:
                if self.verified(predicted):
                    self.last = predicted
                    self.scripts.missed(predicted, self.proofs[predicted].observed)
                    return DONE
                self.stage.rollback(&self.bytecode.routes[predicted])
        route[0] = self.route_of(p, end)
        if route[0] == UNROUTED:
            return self.stage.message.outcome
        if self.bytecode.routes[route[0]].is_raw:
            return DONE
        if hash:
            self.predictions[hash & (N_PREDICTIONS - 1)].hash = hash
            self.predictions[hash & (N_PREDICTIONS - 1)].route = route[0]
            self.prefix_bytes = 0
        self.last = route[0]
        return self.walker.run(route[0], p, end, True)

    cdef bint confirmed(self, Script* script) noexcept nogil:
        """What has been staged by a script is of its route; else it is taken back."""
        if self.verified(<int32_t>(script.route - self.bytecode.routes)):
            return True
        script.hits -= 1
        self.stage.rollback(script.route)
        return False

    cdef inline int32_t predict(self, const uint8_t* p, const uint8_t* end, uint64_t* hash) \
            noexcept nogil:
        """The route of the last message with this beginning: `{"key":"value"`, without spaces."""
        cdef const uint8_t* stop
        cdef bint escaped
        cdef uint64_t word, made
        cdef Prediction* entry
        cdef const uint8_t* start = p
        if self.prefix_bytes and <size_t>(end - p) >= self.prefix_bytes and memcmp(
            p, self.prefix, self.prefix_bytes
        ) == 0:
            hash[0] = self.prefix_prediction.hash
            return self.prefix_prediction.route
        if end - p < 8 or p[0] != c'{' or p[1] != c'"':
            return self.last
        stop = tw_string_end(p + 2, end, &escaped)
        if stop == NULL or end - stop < 4 or stop[1] != c':' or stop[2] != c'"':
            return self.last
        stop = tw_string_end(stop + 3, end, &escaped)
        if stop == NULL or stop - p >= LONGEST_PREFIX:
            return self.last
        made = <uint64_t>(stop - p)
        while stop - p >= 8:
            memcpy(&word, p, 8)
            made = (made ^ word) * <uint64_t>0x9E3779B97F4A7C15
            made ^= made >> 29
            p += 8
        word = 0
        memcpy(&word, p, stop - p)
        made = (made ^ word) * <uint64_t>0x9E3779B97F4A7C15
        made ^= made >> 32
        hash[0] = made | 1
        entry = &self.predictions[hash[0] & (N_PREDICTIONS - 1)]
        if entry.hash != hash[0]:
            return UNROUTED
        self.prefix_bytes = <size_t>(stop + 1 - start)
        memcpy(self.prefix, start, self.prefix_bytes)
        self.prefix_prediction = entry[0]
        return entry.route

    cdef int32_t route_of(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        """The first declaration that matches; else UNROUTED, with `message.outcome` set."""
        cdef RouteOp* route
        cdef Text text
        cdef int32_t i
        cdef Outcome outcome = self.walker.observe(p, end)
        text.p = p
        text.n = end - p
        text.form = TEXT_STRING
        text.escaped = False
        for i in range(self.bytecode.n_routes):
            route = &self.bytecode.routes[i]
            if route.kind == ROUTE_SNAPSHOT or route.kind == ROUTE_BACKFILL:
                continue
            if route.is_raw:
                if self.reader.matches_text(route.tests, &text):
                    return i
            elif outcome == DONE and self.reader.matches(route.router_tests):
                return i
        self.stage.message.outcome = outcome
        return UNROUTED

    cdef inline bint verified(self, int32_t number) noexcept nogil:
        """What the walk observed satisfies the route, and no earlier one."""
        cdef RouteOp* route = &self.bytecode.routes[number]
        cdef int32_t* numbers = &self.bytecode.numbers[route.rivals.first]
        cdef Range tests
        cdef int32_t i
        if self.is_proved(&self.proofs[number]):
            return True
        if not self.reader.matches(route.tests):
            return False
        for i in range(0, route.rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            if self.reader.matches(tests):
                return False
        self.prove(&self.proofs[number])
        return True

    cdef inline bint is_proved(self, Proof* proof) noexcept nogil:
        """Whether all that routing looks at is what it was when the route was verified."""
        cdef Register* register
        cdef int32_t i
        if proof.n_texts < 0 or self.stage.message.have & proof.observed != proof.have:
            return False
        for i in range(proof.n_texts):
            register = &self.stage.message.registers[proof.texts[i].register]
            if register.n != proof.texts[i].n or memcmp(
                register.p, proof.texts[i].bytes, register.n
            ) != 0:
                return False
        return True

    cdef void prove(self, Proof* proof) noexcept nogil:
        """Remember what has just been observed, where it is little."""
        cdef uint64_t left = self.stage.message.have & proof.observed
        cdef Register* register
        cdef ProofText* text
        proof.n_texts = -1
        proof.have = left
        cdef int32_t n_texts = 0
        while left:
            if n_texts == MAX_PROOF_TEXTS:
                return
            text = &proof.texts[n_texts]
            text.register = tw_lowest_bit(left)
            left &= left - 1
            register = &self.stage.message.registers[text.register]
            if register.n > MAX_PROOF_BYTES:
                return
            text.n = register.n
            memcpy(text.bytes, register.p, register.n)
            n_texts += 1
        proof.n_texts = n_texts
