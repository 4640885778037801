"""Books whose levels are removed by their position: which prices those are.

Rules of this file
------------------
- A book is kept for each symbol, since only it knows which price a position has. Rows that leave
  have prices like any others.
- Positions count from the best level of a side before the message. All of a message are looked up
  first, then removed; what the message sets is set last, wherever it stands in it. A row that
  removes a level which is set again has the new size, so that rows may be applied in their order.
- What shows that a change is missing: a position without a level, a side with too many, sides that
  cross, a time before the last one.
"""

cimport cython
from libc.stdint cimport INT64_MIN, int16_t, int32_t, int64_t
from libc.stdlib cimport calloc, free

from tickwire.book._order_book cimport (
    TW_ASKS, TW_BIDS, tw_book_apply, tw_book_end, tw_book_free, tw_book_init, tw_side_next,
)

cdef extern from "tickwire/book/grown.h" nogil:
    void* tw_grown(void* slots, int64_t n, int64_t size, size_t slot_bytes)

SIDES = {"bid": TW_BIDS, "ask": TW_ASKS}


cdef const tw_level* level_at(const tw_side* side, double position) noexcept nogil:
    """The level at a position, 0 the best; NULL where there is none."""
    cdef const tw_level* level = NULL
    cdef int64_t at = 0
    cdef int64_t left
    if not 0 <= position < side.n_levels:
        return NULL
    left = <int64_t>position
    if left != position:
        return NULL
    while left >= 0:
        level = tw_side_next(side, &at)
        left -= 1
    return level


cdef double size_of(const tw_side* side, double price) noexcept nogil:
    cdef const tw_level* level
    cdef int64_t at = 0
    while (level := tw_side_next(side, &at)) != NULL:
        if level.price == price:
            return level.size
    return 0


cdef inline int side_of(const LevelRows* rows, int64_t slot) noexcept nogil:
    """-1: the row of a message without levels."""
    if rows.sides[slot] == rows.ask:
        return TW_ASKS
    return TW_BIDS if rows.sides[slot] == rows.bid else -1


@cython.final
cdef class BookPositions:
    """Keep the books of one source, to name levels that are removed by their position.

    All calls come from the thread that decodes.

    Parameters
    ----------
    most
        Levels that a side can have.
    """

    def __cinit__(self, int64_t most):
        if most < 1:
            raise ValueError(f"most is {most}, should be at least 1")
        self.most = most

    def __dealloc__(self):
        cdef int64_t code
        for code in range(self.n_symbols):
            if self.symbols[code] != NULL:
                tw_book_free(&self.symbols[code].book)
                free(self.symbols[code])
        free(self.symbols)

    cdef Positioned* of(self, int32_t symbol) noexcept nogil:
        cdef int64_t size
        cdef Positioned** larger
        cdef Positioned* state
        if symbol >= self.n_symbols:
            size = max(<int64_t>symbol + 1, 2 * self.n_symbols, 64)
            larger = <Positioned**>tw_grown(self.symbols, self.n_symbols, size, sizeof(Positioned*))
            if larger == NULL:
                return NULL
            self.symbols = larger
            self.n_symbols = size
        state = self.symbols[symbol]
        if state == NULL:
            state = <Positioned*>calloc(1, sizeof(Positioned))
            if state != NULL:
                tw_book_init(&state.book, 0)
                state.time = INT64_MIN
                self.symbols[symbol] = state
        return state

    cdef bint place(self, int32_t symbol, bint is_snapshot, LevelRows* rows) noexcept nogil:
        """Give the rows of a message their prices, and change the book.

        Shape    the rows of one message; those of negative size have a position for a price.
        Units    as the table `book`.
        Returns  False where they do not fit the book: they are to be taken back.
        Threads  the decoder's only.
        Memory   of the symbol's book.
        Source   docs/declaring.md, `position`.
        """
        cdef Positioned* state = self.of(symbol)
        cdef tw_book* book
        cdef int64_t row, slot, time
        cdef int side
        if state == NULL:
            return False
        if rows.first == rows.end:
            return True
        book = &state.book
        time = rows.times[rows.first & rows.mask]
        if is_snapshot:
            tw_book_apply(book, -1, 0, 0, True)
        elif time < state.time or not self.name(book, rows):
            return False
        for row in range(rows.first, rows.end):
            slot = row & rows.mask
            side = side_of(rows, slot)
            if side >= 0 and rows.sizes[slot] < 0:
                return False    # a whole book has nothing to count positions in
            if side >= 0 and rows.sizes[slot] != 0:
                tw_book_apply(book, side, rows.prices[slot], rows.sizes[slot], is_snapshot)
        tw_book_end(book)
        state.time = time
        if book.is_crossed or book.has_failed or book.sides[TW_BIDS].n_levels > self.most \
                or book.sides[TW_ASKS].n_levels > self.most:
            return False
        # Not before: each row takes a search of its side, which has `most` levels only now.
        for row in range(rows.first, rows.end):
            slot = row & rows.mask
            side = side_of(rows, slot)
            if side >= 0 and rows.sizes[slot] == 0:
                rows.sizes[slot] = size_of(&book.sides[side], rows.prices[slot])
        return True

    cdef bint name(self, tw_book* book, LevelRows* rows) noexcept nogil:
        """Look up the positions, then remove their levels; False where there is none at one."""
        cdef const tw_level* level
        cdef int64_t row, slot
        cdef int side
        for row in range(rows.first, rows.end):
            slot = row & rows.mask
            side = side_of(rows, slot)
            if side >= 0 and rows.sizes[slot] < 0:
                level = level_at(&book.sides[side], rows.prices[slot])
                if level == NULL:
                    return False
                rows.prices[slot] = level.price
                rows.sizes[slot] = 0
        for row in range(rows.first, rows.end):
            slot = row & rows.mask
            side = side_of(rows, slot)
            if side >= 0 and rows.sizes[slot] == 0:
                tw_book_apply(book, side, rows.prices[slot], 0, False)
        return True

    # From Python.

    def apply(self, int32_t symbol, list rows, *, bint is_snapshot=False, int64_t time=0):
        """Give the rows of a message their prices, as the decoder does.

        Parameters
        ----------
        symbol
            The symbol's code.
        rows
            Side, price (or position) and size (or -1) of each level, in the order sent.
        is_snapshot
            Whether they take the place of all levels.
        time
            The message's, ns since the epoch.

        Returns
        -------
        list of tuple or None
            The rows with their prices and sizes; None where they do not fit the book.
        """
        cdef LevelRows given
        cdef Py_ssize_t n = len(rows)
        cdef Py_ssize_t i
        cdef int16_t* sides = <int16_t*>calloc(n + 1, sizeof(int16_t))
        cdef double* numbers = <double*>calloc(2 * n + 1, sizeof(double))
        cdef int64_t* times = <int64_t*>calloc(n + 1, sizeof(int64_t))
        try:
            if sides == NULL or numbers == NULL or times == NULL:
                raise MemoryError
            for i in range(n):
                sides[i] = SIDES[rows[i][0]]
                numbers[i], numbers[n + i] = rows[i][1:]
                times[i] = time
            given = LevelRows(sides, numbers, &numbers[n], times, 0, n, -1, TW_ASKS, TW_BIDS)
            if not self.place(symbol, is_snapshot, &given):
                return None
            return [(rows[i][0], numbers[i], numbers[n + i]) for i in range(n)]
        finally:
            free(sides)
            free(numbers)
            free(times)
