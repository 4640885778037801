"""Book deltas that wait for their snapshot, bounded."""

from libc.stdint cimport int32_t, int64_t

from collections import deque


cdef class HeldDelta:
    """A delta that waits: its message, its ids and its times."""


cdef class HeldDeltas:
    """The deltas that one source holds, by symbol, in the order of their arrival.

    Parameters
    ----------
    most_bytes
        Bound of all messages together. Past it the oldest delta of the symbol goes: a snapshot
        newer than it makes up for that, and an older one does not fit.
    """

    def __init__(self, int64_t most_bytes):
        self.by_symbol = {}
        self.most_bytes = most_bytes

    cdef int add(self, HeldDelta held, bint in_order) except -1:
        cdef int64_t n = len(held.payload)
        cdef HeldDelta other
        cdef Py_ssize_t at
        while self.n_bytes + n > self.most_bytes and held.symbol in self.by_symbol:
            self.remove_oldest(held.symbol)
            self.n_dropped += 1
        if self.n_bytes + n > self.most_bytes:
            self.n_dropped += 1
            return 0
        waiting = self.by_symbol.setdefault(held.symbol, deque())
        at = len(waiting)
        while in_order and at > 0:  # connections differ by little: it is near the end
            other = waiting[at - 1]
            if other.delta.last == held.delta.last:
                return 0
            if other.delta.last < held.delta.last:
                break
            at -= 1
        waiting.insert(at, held)
        self.n_bytes += n
        return 0

    cdef HeldDelta oldest(self, int32_t symbol):
        waiting = self.by_symbol.get(symbol)
        return None if waiting is None else waiting[0]

    cdef HeldDelta newest(self, int32_t symbol):
        waiting = self.by_symbol.get(symbol)
        return None if waiting is None else waiting[len(waiting) - 1]

    cdef int remove_oldest(self, int32_t symbol) except -1:
        waiting = self.by_symbol[symbol]
        self.n_bytes -= len(waiting.popleft().payload)
        if not waiting:
            del self.by_symbol[symbol]
        return 0

    cdef int64_t drop(self, int32_t symbol) except -1:
        dropped = self.by_symbol.pop(symbol, ())
        self.n_bytes -= sum(len(held.payload) for held in dropped)
        return len(dropped)

    def count(self, int32_t symbol) -> int:
        """Give how many deltas a symbol holds."""
        return len(self.by_symbol.get(symbol, ()))
