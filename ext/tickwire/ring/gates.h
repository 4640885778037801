/* The consumers' gates: how one attaches, and what the writer sees of all.
 *
 * Who loses a row is decided by one compare-and-exchange on a gate: the consumer's, which moves its
 * position past rows that it has copied, or the writer's (drop_oldest), which moves it past rows that
 * it is about to overwrite. Each row is taken or dropped, and counted once. A gate that is leased is
 * never moved by the writer.
 */
#ifndef TICKWIRE_GATES_H
#define TICKWIRE_GATES_H

#include <stddef.h>
#include <stdint.h>

#include "tickwire/base/atomics.h"
#include "tickwire/ring/ring_block.h"

/* The lowest position, at most `position`, that a gate holds against the writer. `leased`: only
 * leases hold. Acquire: what the consumer read before it moved its gate stays before what is written
 * over it. */
static inline int64_t tw_first_held(const tw_ring_header *header, int64_t position, int leased)
{
    for (int i = 0; i < TW_GATES; i++) {
        const int64_t gate = tw_load_acquire(&header->gates[i].value);
        if (gate >> 1 < position && (gate & 1 || !leased))
            position = gate >> 1;
    }
    return position;
}

/* How many gates stand at `position`; -1 where one stands elsewhere, or is leased. */
static inline int tw_count_gates_at(const tw_ring_header *header, int64_t position)
{
    int n = 0;
    for (int i = 0; i < TW_GATES; i++) {
        const int64_t gate = tw_load_acquire(&header->gates[i].value);
        if (gate == TW_GATE_FREE)
            continue;
        if (gate != position << 1)
            return -1;
        n++;
    }
    return n;
}

/* Move every gate that is not leased up to `position`; gives the lowest position that one stood at,
 * or `position`. */
static inline int64_t tw_push_gates(tw_ring_header *header, int64_t position)
{
    int64_t first = position;
    for (int i = 0; i < TW_GATES; i++) {
        int64_t *word = &header->gates[i].value;
        int64_t gate = tw_load_acquire(word);
        while (gate >> 1 < position && !(gate & 1)) {
            if (tw_compare_exchange(word, gate, position << 1)) {
                if (gate >> 1 < first)
                    first = gate >> 1;
                break;
            }
            gate = tw_load_acquire(word);
        }
    }
    return first;
}

/* A gate of one's own, at the oldest position that the ring holds; NULL where all are in use. Any
 * thread. */
static inline int64_t *tw_attach_gate(tw_ring_header *header)
{
    int64_t floor = tw_load_acquire(&header->floor.value);
    int64_t *gate = NULL;
    for (int i = 0; i < TW_GATES && gate == NULL; i++) {
        if (tw_compare_exchange(&header->gates[i].value, TW_GATE_FREE, floor << 1))
            gate = &header->gates[i].value;
    }
    while (gate != NULL) {
        /* Partner: `tw_advance` and `tw_rewind`, which store the floor, fence and read the gates.
         * Until the gate is known to stand at or above the floor, nothing is taken: the writer may
         * write what lies below. */
        tw_fence();
        floor = tw_load_acquire(&header->floor.value);
        const int64_t at = tw_load_acquire(gate);
        if (at >> 1 >= floor)
            break;
        tw_compare_exchange(gate, at, floor << 1);
    }
    return gate;
}

#endif
