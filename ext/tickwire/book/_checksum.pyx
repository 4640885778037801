"""Checksums of books: of the best levels, with the digits that the venue's own text has.

Rules of this file
------------------
- A book is kept for each symbol as the venue has it: changed row by row in ring order, truncated to
  the depth that is subscribed at the end of each message.
- A checksum is of text, and the book has float64. So the decimals of prices and sizes are learned
  from the venue's own text, by symbol: venues print a symbol's numbers with as many throughout.
  More are learned when more are seen (`learn`).
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from tickwire.book._order_book cimport (
    TW_ASKS, TW_BIDS, tw_book_apply, tw_book_end, tw_book_free, tw_book_init, tw_level,
    tw_side_next,
)

cdef extern from "tickwire/book/crc32.h" nogil:
    void tw_crc32_prepare()
    uint32_t tw_crc32(const uint8_t* p, size_t n)

cdef extern from "tickwire/book/grown.h" nogil:
    void* tw_grown(void* slots, int64_t n, int64_t size, size_t slot_bytes)

cdef extern from "tickwire/book/level_text.h" nogil:
    enum:
        TW_MOST_DECIMALS
        TW_NUMBER_BYTES
    int tw_fewest_decimals(double value)
    size_t tw_number_text(double value, int decimals, bint plain, uint8_t* out)

tw_crc32_prepare()

SIDES = {"bid": TW_BIDS, "ask": TW_ASKS}


@cython.final
cdef class BookChecksums:
    """Keep the books of one source, and verify them by the venue's checksums.

    All calls come from the thread that decodes.

    Parameters
    ----------
    levels
        Of each side that a checksum covers.
    interleaved
        The best bid, the best ask, the second bid and so on; else all asks, then all bids.
    plain
        Numbers with their point; else digits alone, without leading zeros.
    separator
        Between numbers.
    learns
        Decimals are those of the venue's text; else as few as tell a number from others.
    depth
        Levels of each side that a book keeps; 0: all.
    """

    def __cinit__(
        self, int levels, *, bint interleaved=False, bint plain=False, str separator="",
        bint learns=True, int64_t depth=0,
    ):
        if not 1 <= levels <= MOST_LEVELS:
            raise ValueError(f"levels is {levels}, should be 1 to {MOST_LEVELS}")
        self.levels = levels
        self.is_interleaved = interleaved
        self.is_plain = plain
        self.separator = separator.encode()
        self.separator_text = self.separator
        self.n_separator = len(self.separator)
        self.learns = learns
        self.depth = depth
        self.text = <uint8_t*>malloc(4 * levels * (TW_NUMBER_BYTES + len(self.separator)))
        if self.text == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int64_t code
        for code in range(self.n_symbols):
            if self.symbols[code] != NULL:
                tw_book_free(&self.symbols[code].book)
                free(self.symbols[code])
        free(self.symbols)
        free(self.text)

    cdef Verified* of(self, int32_t symbol) noexcept nogil:
        cdef int64_t size
        cdef Verified** larger
        cdef Verified* state
        if symbol >= self.n_symbols:
            size = max(<int64_t>symbol + 1, 2 * self.n_symbols, 64)
            larger = <Verified**>tw_grown(self.symbols, self.n_symbols, size, sizeof(Verified*))
            if larger == NULL:
                return NULL
            self.symbols = larger
            self.n_symbols = size
        state = self.symbols[symbol]
        if state == NULL:
            state = <Verified*>calloc(1, sizeof(Verified))
            if state != NULL:
                tw_book_init(&state.book, self.depth)
                state.price_decimals = state.size_decimals = -1
                self.symbols[symbol] = state
        return state

    cdef bint wants_digits(self, Verified* state) noexcept nogil:
        return self.learns and state.price_decimals < 0

    cdef size_t separate(self, uint8_t* out) noexcept nogil:
        if self.n_separator:  # most venues have none, and a call costs as much as a digit pair
            memcpy(out, self.separator_text, self.n_separator)
        return self.n_separator

    cdef size_t write(
        self, Verified* state, double price, double size, uint8_t* out, bint is_first
    ) noexcept nogil:
        cdef size_t n = 0
        if not is_first:
            n = self.separate(out)
        n += tw_number_text(
            price, state.price_decimals if self.learns else tw_fewest_decimals(price),
            self.is_plain, &out[n],
        )
        n += self.separate(&out[n])
        n += tw_number_text(
            size, state.size_decimals if self.learns else tw_fewest_decimals(size),
            self.is_plain, &out[n],
        )
        return n

    cdef uint32_t sum(self, Verified* state) noexcept nogil:
        """The checksum of a book.

        Shape    the best `levels` of each side.
        Units    none.
        Returns  CRC-32.
        Threads  the decoder's only.
        Memory   `text`, as large as it can get.
        Source   the venue's `crc32`; docs/design.md, "Books".
        """
        cdef const tw_level* level
        cdef int64_t at[2]
        cdef size_t n = 0
        cdef int turn, side
        cdef int n_turns = 2 * self.levels
        at[0] = at[1] = 0
        for turn in range(n_turns):
            if self.is_interleaved:
                side = TW_ASKS if turn & 1 else TW_BIDS
            else:
                side = TW_ASKS if turn < self.levels else TW_BIDS
            level = tw_side_next(&state.book.sides[side], &at[side])
            if level != NULL:
                n += self.write(state, level.price, level.size, &self.text[n], n == 0)
        return tw_crc32(self.text, n)

    cdef bint verify(self, Verified* state, uint32_t sum) noexcept nogil:
        self.n_checked += 1
        state.n_checked += 1
        if self.sum(state) == sum:
            return True
        self.n_mismatched += 1
        state.n_mismatched += 1
        return False

    # From Python.

    def apply(self, int32_t symbol, list rows, *, bint is_snapshot=False):
        """Change a book by the rows of one message, as the decoder does.

        Parameters
        ----------
        symbol
            The symbol's code.
        rows
            Side, price and size of each level, in the order sent.
        is_snapshot
            Whether they take the place of all levels.
        """
        cdef Verified* state = self.of(symbol)
        if state == NULL:
            raise MemoryError
        if is_snapshot and not rows:
            tw_book_apply(&state.book, -1, 0, 0, True)
        for side, price, size in rows:
            tw_book_apply(&state.book, SIDES[side], price, size, is_snapshot)
        tw_book_end(&state.book)

    def learn(self, int32_t symbol, levels):
        """Learn how many decimals a symbol's numbers have.

        Parameters
        ----------
        symbol
            The symbol's code.
        levels
            The text of price and size of some levels.
        """
        cdef Verified* state = self.of(symbol)
        if state == NULL:
            raise MemoryError
        for price, size in levels:
            state.price_decimals = max(state.price_decimals, decimals_of(price))
            state.size_decimals = max(state.size_decimals, decimals_of(size))

    def decimals(self, int32_t symbol) -> tuple[int, int] | None:
        """Give the decimals of a symbol's prices and sizes; None before they are known."""
        cdef Verified* state = self.of(symbol)
        if state == NULL or state.price_decimals < 0:
            return None
        return state.price_decimals, state.size_decimals

    def counts(self, int32_t symbol) -> tuple[int, int]:
        """Give how often a symbol's book was checked, and how often it was wrong."""
        cdef Verified* state = self.of(symbol)
        if state == NULL:
            raise MemoryError
        return state.n_checked, state.n_mismatched

    def checksum(self, int32_t symbol) -> int:
        """Give the checksum of a symbol's book."""
        cdef Verified* state = self.of(symbol)
        if state == NULL:
            raise MemoryError
        return self.sum(state)


def decimals_of(text: str) -> int:
    """Give how many decimals the text of a number has; `1e-08` has eight.

    Parameters
    ----------
    text
        A JSON number.
    """
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return min(max(decimals, 0), TW_MOST_DECIMALS)
