/* Memory for blocks that come and go, 64-byte aligned.
 *
 * malloc gives a large block back to the system when it is freed, and the next one is paid for with
 * a page fault per 4 KiB: more than half of what copying a large batch costs. So one freed block
 * per size, 128 KiB to 16 MiB, is kept for the next that asks: at most 32 MiB, in all. So is one of
 * 1 to 8 KiB, what a batch of a row takes: aligned memory costs malloc more than the copy. Any
 * thread may take and give; a block has one owner at a time, because it changes hands by exchange.
 */
#ifndef TICKWIRE_BLOCK_POOL_H
#define TICKWIRE_BLOCK_POOL_H

#include <stdint.h>
#include <stdlib.h>

#include "tickwire/base/bits.h"

enum {
    TW_POOL_MIN_LOG2 = 10,
    TW_POOL_SMALL_LOG2 = 13,
    TW_POOL_LARGE_LOG2 = 17,
    TW_POOL_MAX_LOG2 = 24,
    TW_NOT_POOLED = -1,
};

static void *tw_pool_blocks[TW_POOL_MAX_LOG2 - TW_POOL_MIN_LOG2 + 1];

/* n_bytes: a multiple of 64, above 0. `size_class` goes to `tw_pool_give`. NULL: no memory. */
static inline void *tw_pool_take(size_t n_bytes, int *size_class)
{
    *size_class = TW_NOT_POOLED;
#ifndef __SANITIZE_ADDRESS__
    int log2 = tw_log2(n_bytes - 1) + 1;
    if ((log2 >= TW_POOL_MIN_LOG2 && log2 <= TW_POOL_SMALL_LOG2) ||
        (log2 >= TW_POOL_LARGE_LOG2 && log2 <= TW_POOL_MAX_LOG2)) {
        *size_class = log2 - TW_POOL_MIN_LOG2;
        void *spare = __atomic_exchange_n(&tw_pool_blocks[*size_class], NULL, __ATOMIC_ACQ_REL);
        return spare != NULL ? spare : aligned_alloc(64, (size_t)1 << log2);
    }
#endif
    return aligned_alloc(64, n_bytes);
}

static inline void tw_pool_give(void *memory, int size_class)
{
    if (size_class != TW_NOT_POOLED)
        memory = __atomic_exchange_n(&tw_pool_blocks[size_class], memory, __ATOMIC_ACQ_REL);
    free(memory);
}

#endif
