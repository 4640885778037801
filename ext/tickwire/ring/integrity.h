/* Whether a ring's block still agrees with its writer. Writer's thread only. */
#ifndef TICKWIRE_INTEGRITY_H
#define TICKWIRE_INTEGRITY_H

#include <stdint.h>
#include <string.h>

#include "tickwire/base/atomics.h"
#include "tickwire/ring/ring.h"

/* What is wrong with the header, in words; NULL where nothing is. */
static inline const char *tw_ring_fault(const tw_ring *ring)
{
    const tw_ring_header *header = ring->header;
    if (memcmp(header->magic, TW_RING_MAGIC, sizeof header->magic) != 0)
        return "the magic bytes of its header are overwritten";
    if (header->version != TW_RING_VERSION || (int64_t)header->capacity != ring->capacity ||
        header->n_columns != (uint32_t)ring->n_columns || header->seq_base != ring->seq_base)
        return "the layout in its header has changed";
    if (tw_load_acquire(&header->cursor.value) != ring->published)
        return "its cursor is not where its writer has put it";
    if (tw_load_acquire(&header->floor.value) > ring->published ||
        tw_load_acquire(&header->skipped.value) != ring->skipped << 1)
        return "its floor lies above its cursor, or its count of rows has changed";
    if (tw_load_acquire(&header->claimed.value) != ring->claimed)
        return "its claim is not where its writer has put it";
    for (int i = 0; i < TW_GATES; i++) {
        const int64_t gate = tw_load_acquire(&header->gates[i].value);
        if (gate != TW_GATE_FREE && (gate < 0 || gate >> 1 > ring->published))
            return "a consumer's gate lies above its cursor";
    }
    return NULL;
}

#endif
