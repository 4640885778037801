"""Which declaration a message is one of; the theory is in the declaration."""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from tickwire.decode._bytecode cimport ROUTE_BACKFILL, ROUTE_SNAPSHOT, Range, RouteOp
from tickwire.decode._runner cimport ScriptRunner
from tickwire.decode._script cimport (
    FEW_TRIES, LOOK_AGAIN, MAX_PROOF_BYTES, MAX_PROOF_TEXTS, MOST_TRIES, UNREAD_FORGIVEN, Proof,
    ProofText, Script,
)
from tickwire.decode._stage cimport DONE, FULL, Outcome
from tickwire.decode._values cimport TEXT_STRING, Register, Text, tw_string_end
from tickwire.decode._walk cimport Walker

cdef extern from "tickwire/base/bits.h" nogil:
    int tw_lowest_bit(uint64_t value)


cdef enum:
    ALL_RIVALS = -1     # of a route that is not known yet


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
        self.inside = UNROUTED
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
        cdef Outcome outcome = DONE
        if self.by_script(p, end):
            route[0] = self.last
        else:
            outcome = self.by_walk(p, end, route)
        if self.scripts.last != NULL:
            self.script = self.scripts.last.next
        return outcome

    cdef bint by_script(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        """Whether a script reads the message that was not tried yet."""
        cdef Script* script
        cdef int i
        cdef int n_tries = 0
        # What is unlike all that was learned costs a read of its beginning for each script.
        cdef int most = MOST_TRIES
        if self.n_unread >= UNREAD_FORGIVEN and self.n_unread % LOOK_AGAIN:
            most = FEW_TRIES
        for i in range(self.scripts.n_order):
            script = self.scripts.order[i]
            if script == self.script or script.route.inside != self.inside \
                    or not may_fit(script, p, end):
                continue
            if self.fits(script, p, end):
                self.scripts.used(i)
                self.last = script.number
                self.n_unread = 0
                return True
            n_tries += 1
            if n_tries == most:
                break
        self.n_unread += n_tries > 0
        return False

    cdef Outcome by_walk(self, const uint8_t* p, const uint8_t* end, int32_t* route) \
            noexcept nogil:
        cdef Outcome outcome = DONE
        cdef Proof* proof
        cdef uint64_t hash = 0
        cdef int32_t predicted = self.predict(p, end, &hash)
        if predicted != UNROUTED and self.bytecode.routes[predicted].inside == self.inside:
            route[0] = predicted
            outcome = self.walker.run(predicted, p, end, False)
            if outcome == FULL:
                return FULL
            if outcome == DONE:
                proof = &self.proofs[predicted]
                if self.verified(&self.bytecode.routes[predicted], proof, 0, <uint64_t>ALL_RIVALS):
                    self.last = predicted
                    self.walker.count_left_out(predicted)
                    self.walker.study_message(predicted, proof.observed, p, end)
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
        outcome = self.walker.run(route[0], p, end, True)
        if outcome == DONE:
            self.walker.study_message(route[0], self.proofs[route[0]].observed, p, end)
        return outcome

    cdef bint confirmed(self, Script* script) noexcept nogil:
        """What has been staged by a script is of its route; else it is taken back."""
        if self.verified(script.route, &script.proof, script.known, script.rivals):
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
            if route.kind == ROUTE_SNAPSHOT or route.kind == ROUTE_BACKFILL \
                    or route.inside != self.inside:
                continue
            if route.is_raw:
                if self.reader.matches_text(route.tests, &text):
                    return i
            elif outcome == DONE and self.reader.matches(route.router_tests, 0):
                return i
        self.stage.message.outcome = outcome
        return UNROUTED

    cdef inline bint verified(self, RouteOp* route, Proof* proof, uint64_t known, uint64_t rivals) \
            noexcept nogil:
        """What was observed satisfies the route, and no earlier one; but for tests of registers
        that are known to, and rivals that are known not to."""
        cdef int32_t* numbers = &self.bytecode.numbers[route.rivals.first]
        cdef Range tests
        cdef int32_t i
        if self.is_proved(proof):
            return True
        if not self.reader.matches(route.tests, known):
            return False
        for i in range(0, route.rivals.n, 2):
            if rivals != <uint64_t>ALL_RIVALS and not (rivals >> (i >> 1)) & 1:
                continue
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            if self.reader.matches(tests, known):
                return False
        self.prove(proof)
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
