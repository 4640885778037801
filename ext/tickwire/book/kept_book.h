/* The books of a reader: one for each venue, channel and symbol, found by their codes. */
#ifndef TICKWIRE_KEPT_BOOK_H
#define TICKWIRE_KEPT_BOOK_H

#include "tickwire/book/order_book.h"

typedef enum { TW_BOOK_WAITING, TW_BOOK_LIVE, TW_BOOK_BROKEN, TW_BOOK_UNVERIFIABLE } tw_book_state;

typedef struct {
    tw_book book;
    int32_t symbol; /* codes */
    int16_t venue, channel;
    uint8_t state;       /* tw_book_state */
    uint8_t is_verified; /* what its changes miss is noticed: a chain, or a checksum */
    uint8_t is_shown;    /* `top` has a row of it whose prices count still */
    uint8_t is_suspended; /* BROKEN, but no row of it is known to be missing */
    uint8_t is_begun; /* it begins empty, with its first change, and not with a snapshot */
    /* Of the last message; ns, INT64_MIN where it has none. */
    int64_t ts_event, ts_recv, mono, venue_seq;
    int32_t conn;
    int32_t watch;         /* number of its `tw_watch` and 1; 0: no oracle watches it */
    int32_t shown_levels;  /* of each side where it is a whole book of few levels and an oracle; else 0 */
    int32_t offer;         /* number of its offer in `nbbo` and 1; 0: it has none */
    int64_t snapshot_recv; /* of the last snapshot */
    int64_t broken_at;     /* rows below this position came before its last break */
    int64_t depth_due;     /* ts_recv from which on a message is followed by a snapshot in `depth` */
    double top[4];         /* as `top` has them: bid price and size, ask price and size */
} tw_kept_book;

typedef struct {
    tw_kept_book *at; /* moves when one is added */
    int64_t n, capacity;
    int32_t *slots; /* number + 1, 0 where free; a power of two, at least twice as many */
    int64_t n_slots;
} tw_kept_books;

static inline uint64_t tw_kept_hash(int16_t venue, int16_t channel, int32_t symbol)
{
    const uint64_t key = (uint64_t)(uint32_t)symbol << 32 | (uint64_t)(uint16_t)venue << 16 |
                         (uint64_t)(uint16_t)channel;
    return (key * UINT64_C(0x9E3779B97F4A7C15)) >> 20;
}

/* The number of a book, -1 where there is none. */
static inline int64_t tw_kept_find(const tw_kept_books *books, int16_t venue, int16_t channel,
                                   int32_t symbol)
{
    if (books->n_slots == 0)
        return -1;
    const uint64_t mask = (uint64_t)books->n_slots - 1;
    for (uint64_t i = tw_kept_hash(venue, channel, symbol);; i++) {
        const int32_t number = books->slots[i & mask] - 1;
        if (number < 0)
            return -1;
        const tw_kept_book *kept = &books->at[number];
        if (kept->symbol == symbol && kept->channel == channel && kept->venue == venue)
            return number;
    }
}

static inline void tw_kept_put(tw_kept_books *books, int64_t number)
{
    const tw_kept_book *kept = &books->at[number];
    const uint64_t mask = (uint64_t)books->n_slots - 1;
    uint64_t i = tw_kept_hash(kept->venue, kept->channel, kept->symbol);
    while (books->slots[i & mask] != 0)
        i++;
    books->slots[i & mask] = (int32_t)number + 1;
}

/* Add a book that waits for its snapshot; its number, -1 without memory. */
static inline int64_t tw_kept_add(tw_kept_books *books, int16_t venue, int16_t channel, int32_t symbol)
{
    if (books->n == books->capacity) {
        const int64_t capacity = books->capacity == 0 ? 16 : 2 * books->capacity;
        tw_kept_book *at =
            (tw_kept_book *)realloc(books->at, (size_t)capacity * sizeof(tw_kept_book));
        if (at == NULL)
            return -1;
        books->at = at;
        int32_t *slots = (int32_t *)calloc((size_t)(2 * capacity), sizeof(int32_t));
        if (slots == NULL)
            return -1;
        free(books->slots);
        books->slots = slots;
        books->n_slots = 2 * capacity;
        books->capacity = capacity;
        for (int64_t number = 0; number < books->n; number++)
            tw_kept_put(books, number);
    }
    tw_kept_book *kept = &books->at[books->n];
    memset(kept, 0, sizeof *kept);
    tw_book_init(&kept->book, 0);
    kept->venue = venue;
    kept->channel = channel;
    kept->symbol = symbol;
    kept->ts_event = kept->ts_recv = kept->venue_seq = kept->snapshot_recv = INT64_MIN;
    for (int i = 0; i < 4; i++)
        kept->top[i] = NAN;
    tw_kept_put(books, books->n);
    return books->n++;
}

static inline void tw_kept_free(tw_kept_books *books)
{
    for (int64_t number = 0; number < books->n; number++)
        tw_book_free(&books->at[number].book);
    free(books->at);
    free(books->slots);
}

/* Take the best prices and sizes; whether they have changed. */
static inline bool tw_kept_take_top(tw_kept_book *kept)
{
    bool has_changed = false;
    for (int side = 0; side < 2; side++) {
        const tw_level *best = tw_side_best(&kept->book.sides[side]);
        const double price = best == NULL ? NAN : best->price, size = best == NULL ? NAN : best->size;
        double *top = &kept->top[2 * side];
        /* NAN is not equal to itself, but nor does an empty side have a size. */
        if (best == NULL ? !isnan(top[0]) : top[0] != price || top[1] != size)
            has_changed = true;
        top[0] = price;
        top[1] = size;
    }
    return has_changed;
}

#endif
