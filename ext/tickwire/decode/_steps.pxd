"""Runs the steps of a template, up to the next one that needs a walk."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tickwire.decode._lowered cimport Lowered, NodeOp
from tickwire.decode._read cimport Reader
from tickwire.decode._stage cimport Message, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._template cimport Step, Template
from tickwire.decode._values cimport Register

ctypedef const uint8_t* (*run_function)(
    Step* steps, int* at, const uint8_t* p, const uint8_t* end, Register* registers, uint64_t* have,
    int* stop,
) noexcept nogil
ctypedef const uint8_t* (*row_function)(
    const Step* steps, const uint8_t* p, const uint8_t* end, int64_t slot
) noexcept nogil


@cython.final
cdef class Steps:
    cdef Lowered program
    cdef Stage stage
    cdef Targets targets
    cdef Reader reader
    cdef Message* message       # the stage's
    cdef run_function run_steps     # kernels for this machine
    cdef row_function run_row

    # From step at[0] on: behind the text with at[0] = n_steps; or the value of the STEP_NODE at[0];
    # or NULL where the text does not fit, with `message.outcome` set if a value is wrong.
    cdef const uint8_t* run(self, Template* template, int* at, const uint8_t* p) noexcept nogil
    # Elements of an array straight into columns: the first that does not fit, or what is behind
    # the closing bracket with closed[0].
    cdef const uint8_t* rows(self, Template* template, const uint8_t* p, bint* closed) \
        noexcept nogil
    # Whether the rows of a node with this template can be written by `rows`.
    cdef void bind(self, Template* template, NodeOp* node) noexcept nogil

    cdef bint is_direct(self, Template* template, NodeOp* node) noexcept nogil
    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil
    cdef const uint8_t* by_rule(self, Step* step, const uint8_t* p) noexcept nogil
