/* Rows that some consumer did not get: as ranges, in memory that is bounded.
 *
 * It lies in the ring's block, so that what was dropped and not yet reported outlives the process.
 */
#ifndef TICKWIRE_DROP_LOG_H
#define TICKWIRE_DROP_LOG_H

#include <stdint.h>

#include "tickwire/base/atomics.h"

enum { TW_MAX_DROP_RANGES = 64 };

typedef struct {
    int64_t first_row; /* counted since the ring was made */
    int64_t last_row;  /* inclusive */
    int64_t ts_first_ns; /* ts_recv of first_row */
    int64_t ts_last_ns;
    int64_t n_rows;
} tw_drop_range;

typedef struct {
    int64_t n_rows;   /* in all */
    int64_t n_ranges; /* since they were last taken */
    int64_t unused[6];
    tw_drop_range ranges[TW_MAX_DROP_RANGES];
} tw_drop_log;

_Static_assert(sizeof(tw_drop_log) % 64 == 0, "lines stay aligned");

/* Note that the rows of `range` were dropped; behind all that was noted before. Writer only. */
static inline void tw_log_drop(tw_drop_log *log, const tw_drop_range *range)
{
    const int64_t n = log->n_ranges;
    log->n_rows += range->n_rows;
    if (n > 0) {
        tw_drop_range *last = &log->ranges[n - 1];
        if (last->last_row + 1 == range->first_row || n == TW_MAX_DROP_RANGES) {
            /* One longer range: exact where they touch, the best that bounded memory can say where
             * the ranges were not taken for a long time. */
            last->last_row = range->last_row;
            last->ts_last_ns = range->ts_last_ns;
            last->n_rows += range->n_rows;
            return;
        }
    }
    log->ranges[n] = *range;
    /* Release: a range is counted when it is whole, whenever the process ends. */
    tw_store_release(&log->n_ranges, n + 1);
}

#endif
