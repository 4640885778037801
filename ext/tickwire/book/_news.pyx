"""What is asked of every kind of followed book: who waits, and one call for who listens.

Rules of this file
------------------
- Who listens is called once, in the middle of a message, and asks later what has happened.
- Where a symbol stands is for the kind to say (`phase_of`).
"""

from libc.stdint cimport int64_t


cdef class BookNews:
    """Call who listens, and give the symbols that wait."""

    cdef void tell(self) noexcept nogil:
        """Call who listens: once."""
        if self.is_heard:
            self.is_heard = False
            with gil:
                self.on_news()

    cdef int phase_of(self, int64_t symbol) noexcept nogil:
        """Where a symbol stands, of those of which there is memory."""
        return 0

    def listen(self, on_news):
        """Have `on_news` called when something happens from now on; once.

        Parameters
        ----------
        on_news
            Called without arguments, in the thread that decodes, in the middle of a message: short.
            None: no more.
        """
        self.on_news = on_news
        self.is_heard = on_news is not None

    def waiting(self) -> list[int]:
        """Give the codes of the symbols that wait for a snapshot."""
        return [code for code in range(self.n_symbols) if self.phase_of(code) == WAITS]
