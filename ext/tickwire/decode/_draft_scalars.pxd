"""The scalars of a script that is being learned.

Theory. Each action that reads a scalar is a step; where there are several, the text is marked and
gone back to. A value that has no kernel of its own is a step for the fallback. Where the value may
be null, its step knows what stands for that, so that null needs no script of its own.
"""

cimport cython
from libc.stdint cimport uint8_t

from tickwire.decode._bytecode cimport ActionOp, NodeOp
from tickwire.decode._draft cimport Draft
from tickwire.decode._values cimport Text


@cython.final
cdef class ScalarDraft:
    cdef Draft draft

    # The steps of a value that actions read, one after the other: its end, or NULL.
    cdef const uint8_t* read(self, NodeOp* node, const uint8_t* p) noexcept nogil

    cdef bint action(self, ActionOp* action, Text* text, bint is_number) noexcept nogil
    cdef int kind_of(self, ActionOp* action, Text* text, bint is_number) noexcept nogil
