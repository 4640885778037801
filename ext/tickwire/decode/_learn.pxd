"""Learns scripts from the text of messages.

Theory. The text is gone through along the route's tree. Where everything stands is known, and with
it which registers have a value at each place: so an index from the end is one from the beginning, a
value that is missing costs nothing, and what a row needs is there or the text cannot be learned.
What has no step of its own is walked where it stands.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint64_t

from tickwire.decode._bytecode cimport Bytecode, Edge, NodeOp, Range, RouteOp, RowSetOp
from tickwire.decode._draft cimport Draft
from tickwire.decode._draft_route cimport RouteDraft
from tickwire.decode._draft_rows cimport RowDraft
from tickwire.decode._draft_scalars cimport ScalarDraft
from tickwire.decode._script cimport Script
from tickwire.decode._steps cimport Kernels


@cython.final
cdef class Learner:
    cdef Bytecode program
    cdef Draft draft
    cdef RouteDraft routes
    cdef RowDraft rows
    cdef ScalarDraft scalars
    cdef Kernels kernels    # the walker's

    # Learn p..end, which the walk has read by the route; False where there is no script for it.
    # `observed` are the registers that routing looks at.
    cdef bint learn(
        self, Script* script, RouteOp* route, uint64_t observed, const uint8_t* p,
        const uint8_t* end
    ) noexcept nogil

    cdef bint whole(self, RouteOp* route, const uint8_t* p) noexcept nogil
    # Each gives the end of the value, or NULL.
    cdef const uint8_t* value(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* observed(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* item(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* content(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* keyed(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* indexed(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef const uint8_t* listed(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* walk(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* row(self, int32_t number, const uint8_t* p) noexcept nogil
    cdef const uint8_t* row_list(self, int32_t number, const uint8_t* p, bint is_routed) \
        noexcept nogil

    cdef const uint8_t* place(
        self, Range edges, Edge* edge, const uint8_t* p, uint64_t* seen, int32_t* turn
    ) noexcept nogil
    cdef Edge* at_index(self, Range edges, int32_t index, int32_t n_elements, bint* twice) \
        noexcept nogil
    cdef int32_t count(self, const uint8_t* p, int32_t most) noexcept nogil
    cdef bint is_routed_by_form(self, NodeOp* node, const uint8_t* p) noexcept nogil
    cdef bint are_of_a_length(self, const uint8_t* p) noexcept nogil
    cdef bint are_alike(self, const uint8_t* p) noexcept nogil
