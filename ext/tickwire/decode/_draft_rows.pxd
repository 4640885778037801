"""The rows of a script that is being learned.

Theory. A row whose values stand in it, or before it, is written where it will stand: the steps of
its values know their columns, and what no step reads is copied where the row ends. Where an array's
elements are rows, the first of them stands for all. What rows share is copied into each if it is
known by then, and filled into all at the message's end if not. Any other row is given by the stage.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint64_t

from tickwire.decode._bytecode cimport CellOp, NodeOp, Range, RowSetOp
from tickwire.decode._draft cimport Draft
from tickwire.decode._script cimport Place
from tickwire.decode._template cimport Step


@cython.final
cdef class RowDraft:
    cdef Draft draft

    # Whether a row depends on nothing but the message.
    cdef bint can_loop(self, RowSetOp* row_set) noexcept nogil
    # A row whose text begins at p, and its end; between them are the steps of its values.
    cdef bint begin(self, RowSetOp* row_set, const uint8_t* p, bint is_list) noexcept nogil
    cdef bint end(self, RowSetOp* row_set) noexcept nogil
    # A row from registers: by copying them, or as the walk gives it.
    cdef bint emit(self, RowSetOp* row_set) noexcept nogil
    # What the rows from place `first` on share, as columns of each; False where it comes too late.
    # Of all rows of the message, what comes late is filled at its end.
    # `walked` are the tables that had other rows before.
    cdef bint fill(self, NodeOp* node, int first, uint64_t walked) noexcept nogil
    # Fill columns at the end of the message, of all its rows.
    cdef bint late(self, Range cells) noexcept nogil

    cdef bint has_needed(self, RowSetOp* row_set) noexcept nogil
    cdef bint is_plain(self, RowSetOp* row_set) noexcept nogil
    # Have what the rows share written once for all, and levels read by their own kernel.
    cdef void make_plain(self) noexcept nogil
    cdef bint copy(self, RowSetOp* row_set) noexcept nogil
    cdef bint bind(self, RowSetOp* row_set) noexcept nogil
    cdef bint remember(self, RowSetOp* row_set) noexcept nogil
    cdef bint cell(self, CellOp* op) noexcept nogil
    cdef Step* reading(self, int32_t register) noexcept nogil
    cdef bint zero(self, int32_t register, int32_t condition) noexcept nogil
    cdef bint are_settled(self, CellOp* op) noexcept nogil
    cdef bint late_cell(self, int32_t number, CellOp* op) noexcept nogil
    cdef bint rest(self, Place* place, CellOp* op) noexcept nogil
    cdef bint is_settled(self, Place* place, CellOp* op) noexcept nogil
