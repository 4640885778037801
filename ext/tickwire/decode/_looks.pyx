"""Messages shown to a caller: one of each kind, as far as scripts do not read them."""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef enum:
    UNROUTED = -1
    LONGEST_LOOK = 1 << 16  # bytes of a message that is shown


cdef class Looks:
    """Of which kinds a message has been requested.

    Parameters
    ----------
    names
        Of the kinds, by route.
    """

    def __init__(self, names):
        self.names = list(names)
        self.is_due = <uint8_t*>calloc(len(self.names) + 1, 1)
        if self.is_due == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.is_due)

    cdef void request(self, object on_look):
        self.on_look = on_look
        self.n_due = <int32_t>len(self.names) + 1
        memset(self.is_due, True, self.n_due)

    cdef void look(self, int32_t route, const uint8_t* payload, size_t n) noexcept nogil:
        """Show a message to `on_look`, if none of its kind has been shown since `request`."""
        if not self.is_due[route + 1] or n > LONGEST_LOOK:
            return
        self.is_due[route + 1] = False
        self.n_due -= 1
        with gil:
            self.on_look(None if route == UNROUTED else self.names[route], payload[:n])
