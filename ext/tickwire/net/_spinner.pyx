"""Busy polling: a loop that looks at its sockets instead of sleeping.

Rules of this file
------------------
- Each turn of the loop looks at the sockets, without the GIL, until one has something or the turn's
  time is up; then everything else of the loop has its turn. The loop's own poll does not sleep,
  because the next look is scheduled already. A core is used up.
- A plain connection of the carrier `protocol` is read by the look itself; for any other the loop's
  transport reads, in the same turn.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc

from tickwire.net._direct cimport DirectReader, tw_spin, tw_spin_slot

from weakref import WeakKeyDictionary

_SPINNERS = WeakKeyDictionary()  # by loop


@cython.final
cdef class Watched:
    """A connection that a spinner looks at."""

    def __init__(self, transport, reader):
        self.transport = transport
        self.reader = reader if isinstance(reader, DirectReader) else None
        self.fd = transport.get_extra_info("socket").fileno()


@cython.final
cdef class Spinner:
    """Looks at the sockets of one loop; get it by `spinner_of`."""

    def __init__(self, loop):
        self.loop = loop
        self.watched = []

    def __dealloc__(self):
        free(self.slots)

    def watch(self, transport, reader, int64_t spin_us):
        """Look at a connection's socket from now on.

        Parameters
        ----------
        transport
            Owns the socket.
        reader
            Its carrier.
        spin_us
            How long a turn of the loop looks; of several, the shortest counts.

        Returns
        -------
        Watched
            What `forget` takes.
        """
        watched = Watched(transport, reader)
        self.spin_ns = min(self.spin_ns, spin_us * 1000) if self.watched else spin_us * 1000
        self.watched.append(watched)
        if not self.is_spinning:
            self.is_spinning = True
            self.loop.call_soon(self.look)
        return watched

    def forget(self, watched):
        """Look at a connection no more."""
        self.watched.remove(watched)

    def look(self):
        """Look at the sockets for a turn; the loop calls it."""
        cdef int n = self.fill()
        cdef int found
        cdef Watched watched
        if not self.watched:
            self.is_spinning = False
            if _SPINNERS.get(self.loop) is self:  # it would keep the loop
                del _SPINNERS[self.loop]
            return
        self.loop.call_soon(self.look)
        if n == 0:
            return
        with nogil:
            found = tw_spin(self.slots, n, self.spin_ns)
        if found >= 0 and self.slots[found].room:
            watched = self.watched[found]
            watched.reader.took(self.slots[found].n_read, self.slots[found].error)

    cdef int fill(self) except -1:
        # Where the bytes of each may go. Those that may not be read now are moved to the end of the
        # list and left out.
        cdef int n = 0
        cdef int end = <int>len(self.watched)
        cdef Watched watched
        cdef tw_spin_slot* slots
        if end > self.n_slots:
            slots = <tw_spin_slot*>realloc(self.slots, end * sizeof(tw_spin_slot))
            if slots == NULL:
                raise MemoryError
            self.slots = slots
            self.n_slots = end
        while n < end:
            watched = self.watched[n]
            if watched.transport.is_closing() or (
                watched.reader is None and not watched.transport.is_reading()
            ):
                end -= 1
                self.watched[n], self.watched[end] = self.watched[end], watched
                continue
            if watched.reader is None or not watched.reader.find_room(&self.slots[n]):
                self.slots[n].fd = watched.fd
                self.slots[n].room = 0
            n += 1
        return n


def spinner_of(loop):
    """Give the spinner of a loop."""
    return _SPINNERS.setdefault(loop, Spinner(loop))
