"""From text to registers: what the actions of a plan do with a scalar."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tickwire.decode._bytecode cimport ActionOp, Bytecode, Range, Scalar
from tickwire.decode._stage cimport Message, Outcome, Stage
from tickwire.decode._values cimport Register, Text
from tickwire.ring._dictionary cimport Dictionary


@cython.final
cdef class Reader:
    cdef Bytecode program
    cdef Stage stage
    cdef Message* message       # the stage's
    cdef Dictionary symbols, channels, sides, intervals

    # False: `message.outcome` says why. A null leaves the register without a value, and so does an
    # optional value that cannot be read.
    cdef bint act(self, ActionOp* action, Text* text) noexcept nogil
    # All tests hold for the values that have been observed; those of known registers do.
    cdef bint matches(self, Range tests, uint64_t known) noexcept nogil
    # All tests hold for one text, whatever they name.
    cdef bint matches_text(self, Range tests, Text* text) noexcept nogil

    cdef bint fail(self, Outcome outcome) noexcept nogil
    cdef bint refuse(self, ActionOp* action) noexcept nogil
    cdef bint read(self, ActionOp* action, Text* text) noexcept nogil
    cdef void put(self, int register, int64_t value) noexcept nogil
    cdef bint number(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint integer(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint time(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint code(self, ActionOp* action, const uint8_t* p, size_t n) noexcept nogil
    cdef bint look_up(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint choice(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint sign(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint piece(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint part(self, ActionOp* action, Text* text) noexcept nogil
    cdef bint plain(self, Text* text) noexcept nogil
    cdef inline bint is_spelled(self, Register* register, Scalar* scalar) noexcept nogil
    cdef bint holds(self, int relation, Range values, Text* text) noexcept nogil
