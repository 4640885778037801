"""Which questions of routing a script answers by itself; the theory is in the declaration."""

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp

from tickwire.decode._bytecode cimport (
    FORM_STRING, REL_ABSENT, REL_EQUAL, REL_PREFIX, REL_PRESENT, Range, Scalar, TestOp,
)
from tickwire.decode._draft cimport Draft
from tickwire.decode._script cimport Script
from tickwire.decode._values cimport TEXT_NULL, TEXT_WORD, Text


cdef class RouteDraft:
    """The route of a script that is being learned.

    Parameters
    ----------
    draft
        The script.
    """

    def __cinit__(self, Draft draft):
        self.draft = draft

    cdef bint verify(self, uint64_t observed) noexcept nogil:
        cdef Script* script = self.draft.script
        cdef Range rivals = script.route.rivals
        cdef int32_t* numbers = &self.draft.program.numbers[rivals.first]
        cdef Range tests
        cdef int32_t i
        script.known = ~(self.draft.progress.dynamic | self.draft.progress.unsure)
        script.proof.observed = observed & ~script.known
        script.proof.n_texts = -1
        for i in range(0, rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            if self.is_excluded(tests):
                continue
            if i >> 1 >= MOST_RIVALS:
                return False
            script.rivals |= <uint64_t>1 << (i >> 1)
        script.verified = script.rivals == 0 and not self.asks(script.route.tests)
        return True

    cdef bint is_excluded(self, Range tests) noexcept nogil:
        """Whether one of the tests fails in all that fits."""
        cdef Range one
        cdef int32_t i
        one.n = 1
        for i in range(tests.n):
            one.first = tests.first + i
            if (self.draft.script.known >> self.draft.program.tests[one.first].register) & 1 \
                    and not self.draft.steps.reader.matches(one, 0):
                return True
        return False

    cdef bint asks(self, Range tests) noexcept nogil:
        """Whether one of the tests looks at what differs."""
        cdef TestOp* test = &self.draft.program.tests[tests.first]
        cdef int32_t i
        for i in range(tests.n):
            if not (self.draft.script.known >> test[i].register) & 1:
                return True
        return False

    cdef bint freezes(self, int32_t register, Text* text) noexcept nogil:
        cdef Range tests = self.draft.script.route.tests
        cdef TestOp* test
        cdef int32_t i
        if text.form == TEXT_WORD or text.form == TEXT_NULL:
            return True
        for i in range(tests.n):
            test = &self.draft.program.tests[tests.first + i]
            if test.register == register and test.relation == REL_EQUAL:
                return not text.escaped
        return False

    cdef size_t prefix_of(self, int32_t register, const Text* text) noexcept nogil:
        cdef Range rivals = self.draft.script.route.rivals
        cdef int32_t* numbers = &self.draft.program.numbers[rivals.first]
        cdef Range tests = self.draft.script.route.tests
        cdef size_t n = self.longest_prefix(register, text, tests)
        cdef int32_t i
        if n == 0 or not self.answers(register, text, n, tests):
            return 0
        for i in range(0, rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            if not self.answers(register, text, n, tests):
                return 0
        return n

    cdef size_t longest_prefix(self, int32_t register, const Text* text, Range tests) \
            noexcept nogil:
        """The bytes of the longest prefix that the text is asked for and has."""
        cdef TestOp* test
        cdef Scalar* value
        cdef size_t n = 0
        cdef int32_t i, j
        for i in range(tests.n):
            test = &self.draft.program.tests[tests.first + i]
            if test.register != register or test.relation != REL_PREFIX:
                continue
            for j in range(test.values.n):
                value = &self.draft.program.scalars[test.values.first + j]
                if n < value.n <= text.n and memcmp(value.text, text.p, value.n) == 0:
                    n = value.n
        return n

    cdef bint answers(self, int32_t register, const Text* text, size_t n, Range tests) \
            noexcept nogil:
        cdef TestOp* test
        cdef Scalar* value
        cdef int32_t i, j
        for i in range(tests.n):
            test = &self.draft.program.tests[tests.first + i]
            if test.register != register or test.relation == REL_PRESENT \
                    or test.relation == REL_ABSENT:
                continue
            if test.relation != REL_PREFIX and test.relation != REL_EQUAL:
                return False
            for j in range(test.values.n):
                value = &self.draft.program.scalars[test.values.first + j]
                if test.relation == REL_EQUAL and value.form != FORM_STRING:
                    continue    # no string equals it
                if memcmp(value.text, text.p, min(n, value.n)) == 0 and (
                    test.relation == REL_EQUAL or value.n > n
                ):
                    return False    # what stands behind them decides
        return True

    cdef bint is_presence(self, int32_t register) noexcept nogil:
        cdef Range rivals = self.draft.script.route.rivals
        cdef int32_t* numbers = &self.draft.program.numbers[rivals.first]
        cdef Range tests
        cdef int32_t i
        if not self.only_presence(register, self.draft.script.route.tests):
            return False
        for i in range(0, rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            if not self.only_presence(register, tests):
                return False
        return True

    cdef bint only_presence(self, int32_t register, Range tests) noexcept nogil:
        """Whether no test is about the text of a number that stands here."""
        cdef TestOp* test
        cdef int32_t i, j
        for i in range(tests.n):
            test = &self.draft.program.tests[tests.first + i]
            if test.register != register or test.relation == REL_PRESENT \
                    or test.relation == REL_ABSENT:
                continue
            for j in range(test.values.n):
                if self.draft.program.scalars[test.values.first + j].form != FORM_STRING:
                    return False
        return True
