"""Messages inside of others; the theory is in the declaration."""

from libc.stdint cimport int32_t, uint8_t

from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._routing cimport UNROUTED, Router
from tickwire.decode._script cimport Script
from tickwire.decode._stage cimport (
    BAD_PACKED, BAD_TEXT, DONE, FULL, MISSING, NO_MEMORY, TOO_LONG, Outcome,
)
from tickwire.decode._unpacker cimport (
    UNPACK_NO_MEMORY, UNPACK_TOO_BIG, UNPACKED, Unpacked, Unpacker,
)
from tickwire.decode._walk cimport Walker

cdef extern from "tickwire/base/utf8.h" nogil:
    bint tw_utf8_whole(const uint8_t* p, size_t n)


cdef class InnerDecoder:
    """The part of a source's decoder that reads messages inside of others.

    Parameters
    ----------
    walker
        Stages their rows; a walker of its own on the source's stage.
    most
        Bytes that any of them may have.
    """

    def __init__(self, Walker walker, most):
        self.router = Router(walker)
        self.stage = walker.stage
        self.unpacker = Unpacker(most)

    cdef Outcome decode(self, RouteOp* route, int32_t holder, int32_t* number) noexcept nogil:
        """Stage the rows of the message inside of the one whose values are in the registers.

        Shape    the route that holds it, and its number; `number`: its own, UNROUTED for none.
        Units    bytes.
        Returns  an Outcome; FULL: offered again, it is unpacked again.
        Threads  the loop's thread only.
        Memory   the unpacker's.
        Source   the theory in `_unpacker.pxd`.
        """
        cdef const uint8_t* text
        cdef size_t n_text
        cdef Outcome outcome
        cdef Script* script
        self.is_new = False
        if not (self.stage.message.have >> route.packed) & 1:
            return MISSING
        if not self.stage.plain(&self.stage.message.registers[route.packed], &text, &n_text):
            return self.stage.message.outcome
        outcome = self.unpack(route, text, n_text)
        if outcome != DONE:
            return outcome
        text = self.unpacker.text
        n_text = self.unpacker.n_text
        if self.router.inside != holder:
            self.router.inside = holder
            self.router.last = UNROUTED
        script = self.router.script
        if script != NULL and script.route.inside == holder \
                and self.router.fits(script, text, text + n_text):
            self.router.follow(script)
            number[0] = script.number
            return DONE
        outcome = self.router.decode(text, text + n_text, number)
        self.is_new = outcome != FULL
        return outcome

    cdef Outcome unpack(self, RouteOp* route, const uint8_t* text, size_t n) noexcept nogil:
        """What a text holds into the unpacker, where that is a text too."""
        cdef Unpacked result = self.unpacker.unpack(
            route.packed_form, text, n, route.packed_most_bytes
        )
        if result == UNPACK_TOO_BIG:
            return TOO_LONG
        if result == UNPACK_NO_MEMORY:
            return NO_MEMORY
        if result != UNPACKED:
            return BAD_PACKED
        if not tw_utf8_whole(self.unpacker.text, self.unpacker.n_text):
            return BAD_TEXT
        return DONE
