"""Runs the steps of a template, up to the next one that needs a walk."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tickwire.decode._lowered cimport CellOp, Lowered, NodeOp
from tickwire.decode._read cimport Reader
from tickwire.decode._stage cimport Message, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._template cimport Step, Template
from tickwire.decode._values cimport Register

ctypedef const uint8_t* (*run_function)(
    const Step* steps, int* at, const uint8_t* p, const uint8_t* end, Register* registers,
    uint64_t* have, int* stop,
) noexcept nogil
ctypedef const uint8_t* (*row_function)(
    const Step* steps, int* at, const uint8_t* p, const uint8_t* end, Register* registers,
    uint64_t* have, int* stop, int64_t head, int64_t mask,
) noexcept nogil


@cython.final
cdef class Steps:
    cdef Lowered program
    cdef Stage stage
    cdef Targets targets
    cdef Reader reader
    cdef Message* message       # the stage's
    cdef run_function run_steps     # kernels for this machine
    cdef row_function row_steps

    # From step at[0] on: behind the text with at[0] = n_steps; or the value of the STEP_NODE at[0];
    # or NULL where the text does not fit, with `message.outcome` set if a value is wrong.
    cdef const uint8_t* run(self, Template* template, int* at, const uint8_t* p) noexcept nogil
    # A direct template's value and its row: behind the text; NULL as `run`.
    cdef const uint8_t* row(self, Template* template, const uint8_t* p) noexcept nogil
    # The same for the elements of an array, p at the first: the first that does not fit, or what is
    # behind the closing bracket with closed[0].
    cdef const uint8_t* rows(self, Template* template, const uint8_t* p, bint* closed) \
        noexcept nogil
    # See whether a template that has just been learned is direct.
    cdef void bind(self, Template* template, NodeOp* node) noexcept nogil

    cdef bint is_direct(self, Template* template, NodeOp* node) noexcept nogil
    cdef bint place(self, Template* template, CellOp* cell) noexcept nogil
    cdef const uint8_t* fill_row(self, Template* template, const uint8_t* p, int64_t head) \
        noexcept nogil
    cdef bint admit(self, Template* template, int64_t head) noexcept nogil
    cdef inline const uint8_t* help(self, Step* step, int stop, const uint8_t* p) noexcept nogil
    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil
    cdef const uint8_t* by_rule(self, Step* step, const uint8_t* p) noexcept nogil
