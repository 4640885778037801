"""Looking at the books that a reader keeps: by number, without a copy of their levels."""

from libc.stdint cimport INT64_MIN, int16_t, int64_t

from tickwire.book._kept_book cimport tw_kept_book, tw_kept_find, tw_kept_free
from tickwire.book._order_book cimport TW_ASKS, TW_BIDS, view_levels

STATES = ("waiting", "live", "broken", "unverifiable")


cdef class BookViews(Attachment):
    """Look at kept books; those that follow a ring are a `BookReader`'s."""

    def __dealloc__(self):
        tw_kept_free(&self.books)

    cdef tw_kept_book* at(self, int64_t number) except NULL:
        if not 0 <= number < self.books.n:
            raise IndexError(f"no book {number}: there are {self.books.n}")
        return &self.books.at[number]

    def __len__(self):
        return self.books.n

    def find_book(self, int venue, int channel, int symbol):
        """Give the number of a book by its codes, -1 where there is none.

        Parameters
        ----------
        venue, channel, symbol
            Codes of the feed's dictionaries.
        """
        return tw_kept_find(&self.books, <int16_t> venue, <int16_t> channel, symbol)

    def describe(self, int64_t number):
        """Give everything but the levels.

        Parameters
        ----------
        number
            The book's.

        Returns
        -------
        dict
            By name; times in ns, None where there is none.
        """
        cdef tw_kept_book* kept = self.at(number)
        return {
            "venue": kept.venue,
            "channel": kept.channel,
            "symbol": kept.symbol,
            "state": STATES[kept.state],
            "is_verified": bool(kept.is_verified),
            "ts_event": known(kept.ts_event),
            "ts_recv": known(kept.ts_recv),
            "snapshot_recv": known(kept.snapshot_recv),
            "venue_seq": known(kept.venue_seq),
            "conn": kept.conn,
            "n_bids": kept.book.sides[TW_BIDS].n_levels,
            "n_asks": kept.book.sides[TW_ASKS].n_levels,
            "messages": kept.book.n_messages,
            "orphans": kept.book.n_orphans,
            "crossed": kept.book.n_crossed,
            "truncated": kept.book.n_truncated,
            "is_crossed": kept.book.is_crossed,
            "has_failed": kept.book.has_failed,
        }

    def state(self, int64_t number):
        """Give the state of a book.

        Parameters
        ----------
        number
            The book's.
        """
        return STATES[self.at(number).state]

    def channel(self, int64_t number):
        """Give the code of a book's channel.

        Parameters
        ----------
        number
            The book's.
        """
        return self.at(number).channel

    def count(self, str state):
        """Count the books of a state.

        Parameters
        ----------
        state
            One of `STATES`.
        """
        cdef int code = STATES.index(state)
        cdef int64_t number
        cdef int64_t n = 0
        for number in range(self.books.n):
            n += self.books.at[number].state == code
        return n

    @property
    def n_orphans(self):
        """Deletes of levels that the books did not have."""
        return sum([self.books.at[number].book.n_orphans for number in range(self.books.n)])

    @property
    def n_crossed(self):
        """Messages that left the best bid at or above the best ask."""
        return sum([self.books.at[number].book.n_crossed for number in range(self.books.n)])

    @property
    def n_truncated(self):
        """Levels dropped past the subscribed depth."""
        return sum([self.books.at[number].book.n_truncated for number in range(self.books.n)])

    def levels(self, int64_t number, n=None):
        """Look at the levels of a book, without a copy.

        Parameters
        ----------
        number
            The book's.
        n
            Of each side at most so many; default: all.

        Returns
        -------
        tuple of numpy.ndarray
            Bids and asks as `OrderBook.bids` gives them.
        """
        cdef tw_kept_book* kept = self.at(number)
        return (
            view_levels(&kept.book.sides[TW_BIDS], n),
            view_levels(&kept.book.sides[TW_ASKS], n),
        )


cdef object known(int64_t value):
    return None if value == INT64_MIN else value
