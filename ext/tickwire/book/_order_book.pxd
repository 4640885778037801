"""An order book and its levels: the C of `book_side.h` and `order_book.h`, and its face for Python.

C code that has a book of its own declares a `tw_book` and calls these functions; the best levels of
a side are read by `tw_side_next`.
"""

cimport cython
from libc.stdint cimport int64_t

cdef extern from "tickwire/book/level_block.h" nogil:
    ctypedef struct tw_level:
        double price
        double size

    ctypedef struct tw_level_block:
        int64_t capacity

    int64_t tw_block_bytes(int64_t capacity)
    tw_level_block* tw_block_retain(tw_level_block* block)
    void tw_block_release(tw_level_block* block)

cdef extern from "tickwire/book/book_side.h" nogil:
    ctypedef struct tw_side:
        tw_level_block* block
        int64_t first
        int64_t end
        int64_t n_levels

    const tw_level* tw_side_best(const tw_side* side)
    const tw_level* tw_side_next(const tw_side* side, int64_t* at)
    const tw_level* tw_side_pack(tw_side* side, int64_t n, int64_t* n_there)

cdef extern from "tickwire/book/order_book.h" nogil:
    enum:
        TW_BIDS
        TW_ASKS

    ctypedef struct tw_book:
        tw_side sides[2]
        int64_t depth
        int64_t n_messages
        int64_t n_changes
        int64_t n_orphans
        int64_t n_crossed
        int64_t n_truncated
        bint is_crossed
        bint has_failed

    void tw_book_init(tw_book* book, int64_t depth)
    void tw_book_free(tw_book* book)
    void tw_book_clear(tw_book* book)
    void tw_book_apply(tw_book* book, int side, double price, double size, bint is_snapshot)
    void tw_book_end(tw_book* book)


@cython.final
cdef class LevelMemory:
    cdef tw_level_block* block      # an owner of it
    cdef const tw_level* levels
    cdef Py_ssize_t n_bytes

# The best `n` levels of a side as a numpy array, best first, without a copy.
cdef object view_levels(tw_side* side, object most)


@cython.final
cdef class OrderBook:
    cdef tw_book book
