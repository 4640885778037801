"""What a script that is being learned says of its message's route.

Theory. What routing looks at is in a script's literals, or it is absent from all texts that fit, or
a step observes it. Tests of the first two have one answer for all that fits, which is found once,
when the script is learned; the others are asked for each message.
"""

cimport cython
from libc.stdint cimport int32_t, uint64_t

from tickwire.decode._bytecode cimport Range
from tickwire.decode._draft cimport Draft
from tickwire.decode._values cimport Text

cdef enum:
    MOST_RIVALS = 64    # earlier routes that a message may be of


@cython.final
cdef class RouteDraft:
    cdef Draft draft

    # Say what is to be asked of a message that fits before it is one of the route; False: too much.
    # `observed` are the registers that routing looks at.
    cdef bint verify(self, uint64_t observed) noexcept nogil
    # Whether the text of an observed scalar belongs into the literals.
    cdef bint freezes(self, int32_t register, Text* text) noexcept nogil
    # How many bytes of an observed string's beginning answer all that is asked of it, so that they
    # belong into the literals and the rest need not be looked at; 0: there are none.
    cdef size_t prefix_of(self, int32_t register, const Text* text) noexcept nogil
    # Whether of a number that is observed nothing is asked but that it is there.
    cdef bint is_presence(self, int32_t register) noexcept nogil

    cdef bint is_excluded(self, Range tests) noexcept nogil
    cdef bint asks(self, Range tests) noexcept nogil
    cdef size_t longest_prefix(self, int32_t register, const Text* text, Range tests) noexcept nogil
    # Whether the first n bytes of a text answer each of the tests.
    cdef bint answers(
        self, int32_t register, const Text* text, size_t n, Range tests
    ) noexcept nogil
    cdef bint only_presence(self, int32_t register, Range tests) noexcept nogil
