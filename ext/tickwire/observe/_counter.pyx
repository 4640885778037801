"""Counters and gauges: what Python does with them. How the hot path counts is in the .pxd."""

from libc.stdint cimport int64_t


cdef class Slot:
    """One number of a registry.

    Parameters
    ----------
    memory
        shape (n,), int64, C-contiguous; it must not move while the slot lives.
    index
        Which of its numbers.

    Raises
    ------
    IndexError
        The array has no such number.
    """

    def __init__(self, int64_t[::1] memory not None, Py_ssize_t index):
        if not 0 <= index < memory.shape[0]:
            raise IndexError(f"slot {index} of {memory.shape[0]}")
        self.memory = memory
        self.at = &memory[index]

    @property
    def value(self):
        """What it stands at."""
        return self.at[0]


cdef class Counter(Slot):
    """A number that only grows."""

    def add(self, int64_t n=1):
        """Count n more.

        Raises
        ------
        ValueError
            n is below 0.
        """
        if n < 0:
            raise ValueError(f"{n}: a counter only grows")
        self.count(n)


cdef class Gauge(Slot):
    """A number that goes up and down."""

    def set(self, int64_t value):
        """Put it at `value`."""
        self.at[0] = value

    def add(self, int64_t n=1):
        """Move it by n, which may be negative."""
        self.at[0] += n

    def raise_to(self, int64_t value):
        """Put it at `value` where it is lower: a high-water mark."""
        if value > self.at[0]:
            self.at[0] = value
