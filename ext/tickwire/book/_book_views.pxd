"""Looking at the books that a reader keeps: by number, without a copy of their levels."""

from libc.stdint cimport int64_t

from tickwire.book._kept_book cimport tw_kept_book, tw_kept_books
from tickwire.ring._attachment cimport Attachment


cdef class BookViews(Attachment):
    cdef tw_kept_books books        # owned

    cdef tw_kept_book* at(self, int64_t number) except NULL
