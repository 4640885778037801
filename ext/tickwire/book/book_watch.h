/* A kept book beside an oracle: quotes of the same market that do not come by the book's chain.
 *
 * Where both have the venue's ids, best prices and sizes of the same id must be equal, whichever
 * comes first; so must the best levels, where messages that are whole books of a few levels have the
 * same ids. Where they have none in common, both only show the same market at about the same time:
 * each side's price must have been the book's, now or a moment ago, or be it soon; a book is wrong
 * where that has not been so for some time and over several quotes.
 */
#ifndef TICKWIRE_BOOK_WATCH_H
#define TICKWIRE_BOOK_WATCH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/book/order_book.h"

enum { TW_TOPS = 256 }; /* kept of each: a power of two */

/* The last best prices and sizes, bid before ask, NAN where there is none. */
typedef struct {
    int64_t seq[TW_TOPS], from_ns[TW_TOPS];
    double top[TW_TOPS][4];
    uint64_t levels[TW_TOPS]; /* a hash of the best levels; 0: they are not compared */
    int64_t n; /* ever: the last one is at (n - 1) % TW_TOPS */
} tw_tops;

typedef struct {
    tw_tops book, quotes;
    double wanted[2];     /* lasting: prices that the book has not had yet, NAN: none */
    int64_t since_ns[2];  /* lasting: the first quote since the book agreed on that side */
    int64_t n_quotes[2];  /* lasting: quotes since then */
    int64_t lasting_ns;   /* 0: ids are compared */
    int64_t least_quotes;
    int64_t begun_ns;     /* when the book began */
    int64_t good_ns;      /* ts_recv up to which the book was last found right */
    int64_t n_checked, n_mismatched;
    double found[2][4];   /* the last mismatch: the book's, the oracle's */
    int64_t number;       /* of the book */
    int32_t symbol, next; /* the next watch of this symbol, -1: none */
    int16_t venue;
    int32_t n_levels; /* of each side that messages of `depths` have; 0: there were none yet */
    bool is_by_time; /* times of events are compared, and not ids */
    bool is_on; /* the book is live, and was not found wrong since its snapshot */
    tw_tops depths; /* whole books of a few levels */
} tw_watch;

static inline bool tw_same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static inline bool tw_same_top(const double *a, const double *b)
{
    return tw_same(a[0], b[0]) && tw_same(a[1], b[1]) && tw_same(a[2], b[2]) && tw_same(a[3], b[3]);
}

/* A hash of the best levels of both sides, at most `n` of each; not 0. */
static inline uint64_t tw_hash_levels(const tw_book *book, int32_t n)
{
    uint64_t hash = 0;
    for (int side = 0; side < 2; side++) {
        int64_t at = 0;
        const tw_level *level;
        hash = hash * UINT64_C(0x9E3779B97F4A7C15) + 1; /* so that sides differ */
        for (int32_t i = 0; i < n && (level = tw_side_next(&book->sides[side], &at)) != NULL; i++) {
            uint64_t price, size;
            memcpy(&price, &level->price, sizeof price);
            memcpy(&size, &level->size, sizeof size);
            hash = (hash ^ price) * UINT64_C(0x9E3779B97F4A7C15);
            hash = ((hash ^ hash >> 32) + size) * UINT64_C(0xC2B2AE3D27D4EB4F);
            hash ^= hash >> 29;
        }
    }
    return hash | 1;
}

/* Note a top; of two with one id the last one counts. Where ids fall, older ones mean nothing. */
static inline void tw_tops_add(tw_tops *tops, int64_t seq, int64_t ts, const double *top,
                               uint64_t levels)
{
    int64_t at = (tops->n - 1) & (TW_TOPS - 1);
    if (tops->n > 0 && seq < tops->seq[at])
        tops->n = 0;
    if (tops->n == 0 || seq != tops->seq[at] || seq == INT64_MIN)
        at = tops->n++ & (TW_TOPS - 1);
    tops->seq[at] = seq;
    tops->from_ns[at] = ts;
    tops->levels[at] = levels;
    for (int i = 0; i < 4; i++)
        tops->top[at][i] = top[i];
}

/* Where the top of an id is, -1 where there is none; ids rise. */
static inline int64_t tw_tops_of(const tw_tops *tops, int64_t seq)
{
    int64_t low = tops->n < TW_TOPS ? 0 : tops->n - TW_TOPS, high = tops->n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (tops->seq[middle & (TW_TOPS - 1)] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    const int64_t at = low & (TW_TOPS - 1);
    return low < tops->n && tops->seq[at] == seq ? at : -1;
}

/* Whether a side had this price at some time from `since` on. */
static inline bool tw_tops_had(const tw_tops *tops, int side, double price, int64_t since)
{
    const int64_t n = tops->n < TW_TOPS ? tops->n : TW_TOPS;
    for (int64_t i = 1; i <= n; i++) {
        const int64_t at = (tops->n - i) & (TW_TOPS - 1);
        if (tops->top[at][2 * side] == price)
            return true;
        if (tops->from_ns[at] < since)
            return false; /* what was before has ended by then */
    }
    return false;
}

/* Whether what was at that time is among what is kept. */
static inline bool tw_tops_reach(const tw_tops *tops, int64_t ts)
{
    const int64_t first = tops->n < TW_TOPS ? 0 : tops->n - TW_TOPS;
    return tops->n > 0 && tops->from_ns[first & (TW_TOPS - 1)] <= ts;
}

static inline void tw_watch_agree(tw_watch *watch, int side)
{
    watch->wanted[side] = NAN;
    watch->n_quotes[side] = 0;
}

/* The book begins: with a snapshot, or again. */
static inline void tw_watch_begin(tw_watch *watch, int64_t ts)
{
    watch->book.n = 0;
    tw_watch_agree(watch, 0);
    tw_watch_agree(watch, 1);
    watch->begun_ns = watch->good_ns = ts;
    watch->is_on = true;
}

/* Compare the book with what an oracle has of one id, if both have it; whether they may be equal. */
static inline bool tw_watch_compare(tw_watch *watch, int64_t seq, int64_t ts, const tw_tops *oracle)
{
    const int64_t own = tw_tops_of(&watch->book, seq), other = tw_tops_of(oracle, seq);
    if (own < 0 || other < 0)
        return true;
    const double *book = watch->book.top[own], *shown = oracle->top[other];
    /* Before the first whole book no hash was made of the book's own levels. */
    const uint64_t levels = watch->book.levels[own], others = oracle->levels[other];
    watch->n_checked++;
    if (tw_same_top(book, shown) && (levels == others || levels == 0 || others == 0)) {
        watch->good_ns = ts;
        return true;
    }
    watch->n_mismatched++;
    for (int i = 0; i < 4; i++) {
        watch->found[0][i] = book[i];
        watch->found[1][i] = shown[i];
    }
    watch->is_on = false;
    return false;
}

/* A message of the book has been applied.
 *
 * Shape    its best prices and sizes, and a hash of its best levels, 0: none was made.
 * Units    ns since the epoch; the venue's id, INT64_MIN where it has none.
 * Returns  whether the book may be right; false once, where it is found to be wrong.
 * Threads  the reader's.
 * Memory   none.
 * Source   docs/books.md.
 */
static inline bool tw_watch_book(tw_watch *watch, int64_t seq, int64_t ts, const double *top,
                                 uint64_t levels)
{
    if (!watch->is_on)
        return true;
    if (watch->lasting_ns == 0) {
        if (seq == INT64_MIN)
            return true;
        tw_tops_add(&watch->book, seq, ts, top, levels);
        return tw_watch_compare(watch, seq, ts, &watch->quotes) &&
               (levels == 0 || tw_watch_compare(watch, seq, ts, &watch->depths));
    }
    const int64_t last = (watch->book.n - 1) & (TW_TOPS - 1);
    if (watch->book.n > 0 && watch->book.top[last][0] == top[0] && watch->book.top[last][2] == top[2])
        return true;
    tw_tops_add(&watch->book, INT64_MIN, ts, top, 0);
    for (int side = 0; side < 2; side++)
        if (watch->wanted[side] == top[2 * side]) {
            tw_watch_agree(watch, side);
            watch->n_checked++;
            watch->good_ns = ts;
        }
    return true;
}

/* A quote has come; as `tw_watch_book`. */
static inline bool tw_watch_quote(tw_watch *watch, int64_t seq, int64_t ts, const double *quote)
{
    if (watch->lasting_ns == 0) {
        if (seq == INT64_MIN)
            return true;
        tw_tops_add(&watch->quotes, seq, ts, quote, 0);
        return !watch->is_on || tw_watch_compare(watch, seq, ts, &watch->quotes);
    }
    if (!watch->is_on || !tw_tops_reach(&watch->book, ts))
        return true;
    int64_t wrong_ns = INT64_MAX;
    for (int side = 0; side < 2; side++) {
        const double price = quote[2 * side];
        if (isnan(price))
            continue;
        if (tw_tops_had(&watch->book, side, price, ts - watch->lasting_ns)) {
            tw_watch_agree(watch, side);
            watch->n_checked++;
            watch->good_ns = ts;
            continue;
        }
        if (watch->n_quotes[side]++ == 0)
            watch->since_ns[side] = ts;
        watch->wanted[side] = price;
        if (watch->n_quotes[side] < watch->least_quotes || ts - watch->since_ns[side] < watch->lasting_ns)
            continue;
        if (watch->since_ns[side] < wrong_ns)
            wrong_ns = watch->since_ns[side];
    }
    if (wrong_ns != INT64_MAX) {
        /* What agreed before that may have agreed with a moment ago. */
        wrong_ns -= watch->lasting_ns;
        watch->good_ns = wrong_ns < watch->begun_ns ? watch->begun_ns : wrong_ns;
        watch->n_checked++;
        watch->n_mismatched++;
        const double *book = watch->book.top[(watch->book.n - 1) & (TW_TOPS - 1)];
        for (int i = 0; i < 4; i++) {
            watch->found[0][i] = book[i];
            watch->found[1][i] = quote[i];
        }
        watch->is_on = false;
    }
    return watch->is_on;
}

/* A whole book of at most `n_levels` levels a side has come; as `tw_watch_book`. */
static inline bool tw_watch_depth(tw_watch *watch, int64_t seq, int64_t ts, const double *top,
                                  uint64_t levels, int32_t n_levels)
{
    if (seq == INT64_MIN || watch->lasting_ns != 0)
        return true;
    if (watch->n_levels == 0)
        watch->n_levels = n_levels;
    if (watch->n_levels != n_levels)
        return true; /* another channel has been first */
    tw_tops_add(&watch->depths, seq, ts, top, levels);
    return !watch->is_on || tw_watch_compare(watch, seq, ts, &watch->depths);
}

#endif
