/* Opens a ring: everything in `tw_ring` is derived from its block. */
#ifndef TICKWIRE_OPEN_RING_H
#define TICKWIRE_OPEN_RING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tickwire/base/atomics.h"
#include "tickwire/ring/gates.h"
#include "tickwire/ring/mapping.h"
#include "tickwire/ring/ring.h"
#include "tickwire/ring/watermarks.h"

static inline void *tw_at_offset(const tw_mapping *mapping, uint64_t offset)
{
    return offset != 0 ? mapping->bytes + offset : NULL;
}

static inline void tw_open_column(tw_ring *ring, tw_column *column, const tw_column_entry *entry)
{
    column->kind = entry->kind;
    column->nullable = entry->nullable;
    column->values = tw_at_offset(ring->mapping, entry->offset);
    column->valid = (uint8_t *)tw_at_offset(ring->mapping, entry->valid_offset);
    column->arena = (uint8_t *)tw_at_offset(ring->mapping, entry->arena_offset);
    column->arena_mask = (int64_t)entry->arena_bytes - 1;
    column->max_text = (int64_t)(entry->arena_bytes >> 1);
    if (column->max_text > INT32_MAX)
        column->max_text = INT32_MAX;
    if (entry->kind == TW_KIND_I64 && strcmp(entry->name, "seq") == 0)
        ring->seq = (int64_t *)column->values;
    if (entry->kind == TW_KIND_TS && strcmp(entry->name, "ts_recv") == 0)
        ring->ts_recv = (int64_t *)column->values;
}

/* A ring of what never changes in a block that is laid out; nothing is written. NULL: no memory. */
static inline tw_ring *tw_view_ring(tw_mapping *mapping)
{
    tw_ring *ring = (tw_ring *)aligned_alloc(64, sizeof *ring);
    if (ring == NULL)
        return NULL;
    memset(ring, 0, sizeof *ring);
    tw_ring_header *header = (tw_ring_header *)(void *)mapping->bytes;
    const tw_column_entry *entries =
        (const tw_column_entry *)tw_at_offset(mapping, header->directory_offset);
    ring->header = header;
    ring->mapping = tw_mapping_retain(mapping);
    ring->capacity = (int64_t)header->capacity;
    ring->mask = ring->capacity - 1;
    ring->seq_base = header->seq_base;
    ring->recv_mono = (int64_t *)tw_at_offset(mapping, header->recv_mono_offset);
    ring->batch_text_bytes = INT32_MAX;
    ring->row_bytes = (int64_t)(header->block_bytes / header->capacity);
    ring->max_message_rows = ring->capacity / 2;
    ring->n_columns = (int32_t)header->n_columns;
    for (int32_t i = 0; i < ring->n_columns; i++)
        tw_open_column(ring, &ring->columns[i], &entries[i]);
    return ring;
}

/* The ring of a block that is laid out, as its last writer has left it: what was staged and not
 * published is gone. NULL: no memory. */
static inline tw_ring *tw_open_ring(tw_mapping *mapping, int drops_oldest)
{
    tw_ring *ring = tw_view_ring(mapping);
    if (ring == NULL)
        return NULL;
    tw_ring_header *header = ring->header;
    ring->drops_oldest = drops_oldest;
    ring->head = ring->message_start = ring->published = tw_load_acquire(&header->cursor.value);
    const int64_t skipped = tw_load_acquire(&header->skipped.value);
    ring->skipped = skipped >> 1;
    ring->floor = tw_load_acquire(&header->floor.value);
    ring->claimed = tw_load_acquire(&header->claimed.value);
    ring->rewind_at = ring->wake_at = ring->wake_rows = ring->wake_mono = INT64_MAX;
    if (skipped & 1) /* the process ended inside of `tw_rewind` */
        tw_jump(ring, (ring->head + ring->mask) & ~ring->mask);
    ring->gating = tw_first_held(header, ring->floor, drops_oldest);
    tw_set_limits(ring);
    return ring;
}

/* Batches that borrow, and other rings of the block, go on. */
static inline void tw_close_ring(tw_ring *ring)
{
    if (ring == NULL)
        return;
    tw_mapping_release(ring->mapping);
    free(ring);
}

#endif
