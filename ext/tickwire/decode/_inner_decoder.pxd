"""Messages inside of others, in a source's decoder: unpacked, routed and staged.

Theory. A message that holds another has no rows itself; its text is in a register. What comes out
has routes of its own, which no other message takes, and a router and walker of its own: the scripts
of the two levels never compete.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t

from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._routing cimport Router
from tickwire.decode._stage cimport Outcome, Stage
from tickwire.decode._unpacker cimport Unpacker


@cython.final
cdef class InnerDecoder:
    cdef Router router
    cdef Stage stage
    cdef Unpacker unpacker      # has the text of the last one
    cdef bint is_new            # no script was tried first that read it: it may be shown

    cdef Outcome decode(self, RouteOp* route, int32_t holder, int32_t* number) noexcept nogil
    cdef Outcome unpack(self, RouteOp* route, const uint8_t* text, size_t n) noexcept nogil
