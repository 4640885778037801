"""An order book for Python: levels in and out, and views of them without a copy."""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport INT64_MAX, int64_t

from inspect import signature

import numpy as np

LEVEL = np.dtype([("price", np.float64), ("size", np.float64)])


cdef class LevelMemory:
    """The memory behind a view: it stays until the last view of it has gone."""

    def __dealloc__(self):
        tw_block_release(self.block)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void*> self.levels, self.n_bytes, True, flags)


cdef object view_levels(tw_side* side, object most):
    if most is not None and most < 0:
        raise ValueError(f"{most} levels: should be 0 or more")
    cdef int64_t n_there
    cdef int64_t n = INT64_MAX if most is None else min(most, INT64_MAX)
    cdef const tw_level* levels = tw_side_pack(side, n, &n_there)
    if n_there == 0:
        return np.empty(0, LEVEL)
    cdef LevelMemory memory = LevelMemory()
    memory.block = tw_block_retain(side.block)
    memory.levels = levels
    memory.n_bytes = <Py_ssize_t> (<size_t> n_there * sizeof(tw_level))
    return np.frombuffer(memory, LEVEL)[::-1]


cdef class OrderBook:
    """A book of its own, for programs and tests; those of a feed are kept by its reader.

    Parameters
    ----------
    depth
        Levels that each side keeps; 0: all.
    """

    __signature__ = signature(lambda depth=0: None)

    def __cinit__(self, int64_t depth=0):
        tw_book_init(&self.book, depth)

    def __dealloc__(self):
        tw_book_free(&self.book)

    def __repr__(self):
        return (
            f"<OrderBook: {self.book.sides[TW_BIDS].n_levels} bids, "
            f"{self.book.sides[TW_ASKS].n_levels} asks>"
        )

    def apply(self, levels, *, bint is_snapshot=False):
        """Apply one message.

        Parameters
        ----------
        levels
            Its levels in order: `(side, price, size)`, side `bid` or `ask`; size 0 deletes.
        is_snapshot
            They replace the book.
        """
        cdef double price, size
        if is_snapshot:
            tw_book_apply(&self.book, -1, 0, 0, True)
        for side, price, size in levels:
            tw_book_apply(
                &self.book, TW_ASKS if side == "ask" else TW_BIDS, price, size, is_snapshot
            )
        tw_book_end(&self.book)
        if self.book.has_failed:
            raise MemoryError("no memory for the book's levels, or too many of them")

    def apply_arrays(
        self, const signed char[::1] sides, const double[::1] prices, const double[::1] sizes,
        const unsigned char[::1] last,
    ):
        """Apply changes, many messages at once; neither lock nor Python object is needed for one.

        Parameters
        ----------
        sides
            shape (n,), int8, C-contiguous: 0 for bids, 1 for asks.
        prices, sizes
            shape (n,), float64, C-contiguous.
        last
            shape (n,), uint8, C-contiguous: 1 in the last row of each message.
        """
        cdef Py_ssize_t i
        if not prices.shape[0] == sizes.shape[0] == last.shape[0] == sides.shape[0]:
            raise ValueError("the arrays differ in length")
        with nogil:
            for i in range(prices.shape[0]):
                tw_book_apply(&self.book, sides[i] != 0, prices[i], sizes[i], False)
                if last[i]:
                    tw_book_end(&self.book)

    def clear(self):
        """Forget all levels."""
        tw_book_clear(&self.book)

    def best(self):
        """Give the best levels.

        Returns
        -------
        tuple of float
            Bid price and size, ask price and size; NaN where a side is empty.
        """
        cdef const tw_level* bid = tw_side_best(&self.book.sides[TW_BIDS])
        cdef const tw_level* ask = tw_side_best(&self.book.sides[TW_ASKS])
        cdef double nan = float("nan")
        return (
            nan if bid == NULL else bid.price,
            nan if bid == NULL else bid.size,
            nan if ask == NULL else ask.price,
            nan if ask == NULL else ask.size,
        )

    def top(self, int64_t n):
        """Copy the best levels, read one by one.

        Parameters
        ----------
        n
            Of each side at most so many.

        Returns
        -------
        tuple of list
            Bids and asks, each a list of price and size, best first.
        """
        cdef int64_t at, side
        cdef const tw_level* level
        found = ([], [])
        for side in range(2):
            at = 0
            while len(found[side]) < n:
                level = tw_side_next(&self.book.sides[side], &at)
                if level == NULL:
                    break
                found[side].append((level.price, level.size))
        return found

    def bids(self, n=None):
        """Look at the bids, best first, without a copy.

        Parameters
        ----------
        n
            At most so many; default: all.

        Returns
        -------
        numpy.ndarray
            shape (n,), fields `price` and `size`, read-only. What it shows is undefined once the
            book is changed; its memory stays.
        """
        return view_levels(&self.book.sides[TW_BIDS], n)

    def asks(self, n=None):
        """Look at the asks; as `bids`.

        Parameters
        ----------
        n
            At most so many; default: all.

        Returns
        -------
        numpy.ndarray
            As of `bids`.
        """
        return view_levels(&self.book.sides[TW_ASKS], n)

    @property
    def n_levels(self):
        """Levels of both sides."""
        return self.book.sides[TW_BIDS].n_levels + self.book.sides[TW_ASKS].n_levels

    @property
    def n_bytes(self):
        """Memory of both sides' levels."""
        cdef int64_t n = 0
        cdef int side
        for side in range(2):
            if self.book.sides[side].block != NULL:
                n += tw_block_bytes(self.book.sides[side].block.capacity)
        return n

    @property
    def n_changes(self):
        """Levels set, deleted or loaded."""
        return self.book.n_changes

    @property
    def n_orphans(self):
        """Deletes of levels that were not there."""
        return self.book.n_orphans

    @property
    def n_truncated(self):
        """Levels dropped past the depth."""
        return self.book.n_truncated

    @property
    def n_crossed(self):
        """Messages that left the best bid at or above the best ask."""
        return self.book.n_crossed

    @property
    def is_crossed(self):
        """Whether the last message did."""
        return self.book.is_crossed
