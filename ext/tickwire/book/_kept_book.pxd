"""The books of a reader, as `kept_book.h` has them."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._order_book cimport tw_book

cdef extern from "tickwire/book/kept_book.h" nogil:
    enum:
        TW_BOOK_WAITING
        TW_BOOK_LIVE
        TW_BOOK_BROKEN
        TW_BOOK_UNVERIFIABLE

    ctypedef struct tw_kept_book:
        tw_book book
        int32_t symbol
        int16_t venue
        int16_t channel
        uint8_t state
        uint8_t is_verified
        uint8_t is_shown
        uint8_t is_suspended
        uint8_t is_begun
        int64_t ts_event
        int64_t ts_recv
        int64_t mono
        int64_t venue_seq
        int32_t conn
        int32_t watch
        int32_t shown_levels
        int32_t offer
        int64_t snapshot_recv
        int64_t depth_due
        int64_t broken_at
        double top[4]

    ctypedef struct tw_kept_books:
        tw_kept_book* at
        int64_t n

    int64_t tw_kept_find(
        const tw_kept_books* books, int16_t venue, int16_t channel, int32_t symbol
    )
    int64_t tw_kept_add(tw_kept_books* books, int16_t venue, int16_t channel, int32_t symbol)
    void tw_kept_free(tw_kept_books* books)
    bint tw_kept_take_top(tw_kept_book* kept)
