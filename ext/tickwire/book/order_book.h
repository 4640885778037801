/* An order book: two sides, changed row by row as the table `book` has them. */
#ifndef TICKWIRE_ORDER_BOOK_H
#define TICKWIRE_ORDER_BOOK_H

#include "tickwire/book/book_side.h"

enum { TW_BIDS, TW_ASKS };

typedef struct {
    tw_side sides[2];    /* by TW_BIDS, TW_ASKS */
    int64_t depth;       /* levels that each side keeps, where that is left to the client; 0: all */
    int64_t n_messages;  /* that ended */
    int64_t n_changes;   /* levels set, deleted or loaded */
    int64_t n_orphans;   /* deletes of levels that are not there */
    int64_t n_crossed;   /* messages that left the best bid at or above the best ask */
    int64_t n_truncated; /* levels dropped past `depth` */
    bool is_crossed;     /* the last message did */
    bool has_failed;     /* no memory, or too many levels: what it has is not the book */
} tw_book;

static inline void tw_book_init(tw_book *book, int64_t depth)
{
    memset(book, 0, sizeof *book);
    book->depth = depth;
    book->sides[TW_ASKS].is_ask = true;
}

static inline void tw_book_free(tw_book *book)
{
    tw_side_free(&book->sides[TW_BIDS]);
    tw_side_free(&book->sides[TW_ASKS]);
}

static inline void tw_book_clear(tw_book *book)
{
    tw_side_clear(&book->sides[TW_BIDS]);
    tw_side_clear(&book->sides[TW_ASKS]);
    book->is_crossed = false;
    book->has_failed = false;
}

static inline bool tw_book_is_loading(const tw_book *book) { return book->sides[TW_BIDS].is_loading; }

/* Apply a row; `tw_book_end` follows the last one of a message.
 *
 * Shape    one row of `book`; side -1, or a price or size of NAN, has no level.
 * Units    as the table.
 * Returns  nothing: failures are in the book.
 * Threads  the book's owner only.
 * Memory   as `tw_side_set`.
 * Source   docs/books.md.
 */
static inline void tw_book_apply(tw_book *book, int side, double price, double size, bool is_snapshot)
{
    if (is_snapshot && !tw_book_is_loading(book)) {
        tw_side_begin(&book->sides[TW_BIDS]);
        tw_side_begin(&book->sides[TW_ASKS]);
        book->has_failed = false;
    }
    if (side < 0 || isnan(price) || isnan(size))
        return;
    tw_side *changed = &book->sides[side];
    const tw_level_result result =
        is_snapshot ? tw_side_load(changed, price, size) : tw_side_set(changed, price, size);
    book->n_changes++;
    book->n_orphans += result == TW_LEVEL_ABSENT && !is_snapshot;
    book->has_failed |= result == TW_LEVEL_NO_MEMORY;
}

/* The message is over: load, truncate, look whether the sides cross. */
static inline void tw_book_end(tw_book *book)
{
    tw_side *bids = &book->sides[TW_BIDS], *asks = &book->sides[TW_ASKS];
    if (tw_book_is_loading(book)) {
        book->has_failed |= tw_side_finish(bids) == TW_LEVEL_NO_MEMORY;
        book->has_failed |= tw_side_finish(asks) == TW_LEVEL_NO_MEMORY;
    }
    if (book->depth > 0)
        book->n_truncated += tw_side_truncate(bids, book->depth) + tw_side_truncate(asks, book->depth);
    const tw_level *bid = tw_side_best(bids), *ask = tw_side_best(asks);
    book->is_crossed = bid != NULL && ask != NULL && bid->price >= ask->price;
    book->n_crossed += book->is_crossed;
    book->n_messages++;
}

#endif
