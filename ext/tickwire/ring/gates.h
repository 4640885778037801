/* The consumers' gates: how one attaches, and what the writer sees of all.
 *
 * Who loses a row is decided by one compare-and-exchange on a gate: the consumer's, which moves its
 * position past rows that it has copied, or the writer's (drop_oldest), which moves it past rows that
 * it is about to overwrite. Each row is taken or dropped, and counted once. A gate that is leased is
 * never moved by the writer, nor is that of a consumer that chose to block it.
 */
#ifndef TICKWIRE_GATES_H
#define TICKWIRE_GATES_H

#include <stddef.h>
#include <stdint.h>

#include "tickwire/base/atomics.h"
#include "tickwire/ring/ring_block.h"

/* Whether rows of this consumer may be dropped, in a ring that does or does not drop its oldest. */
static inline int tw_may_drop(const tw_gate *gate, int drops_oldest)
{
    const int64_t on_lag = tw_load_relaxed(&gate->on_lag);
    return on_lag == TW_LAG_OVERFLOW ? drops_oldest : on_lag == TW_LAG_DROP;
}

/* The lowest position, at most `position`, that a gate holds against the writer: leases do, and
 * consumers whose rows may not be dropped. Acquire: what the consumer read before it moved its gate
 * stays before what is written over it. */
static inline int64_t tw_first_held(const tw_ring_header *header, int64_t position,
                                    int drops_oldest)
{
    for (int i = 0; i < TW_GATES; i++) {
        const int64_t gate = tw_load_acquire(&header->gates[i].value);
        if (gate >> 1 < position && (gate & 1 || !tw_may_drop(&header->gates[i], drops_oldest)))
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

/* Move a gate that is not leased up to `position`; gives the first position that its consumer has not
 * taken, `position` where it has taken all below. */
static inline int64_t tw_push_gate(tw_gate *gate, int64_t position)
{
    int64_t at = tw_load_acquire(&gate->value);
    while (at >> 1 < position && !(at & 1)) {
        if (tw_compare_exchange(&gate->value, at, position << 1)) {
            const int64_t taken = tw_load_relaxed(&gate->taken);
            const int64_t first = taken > at >> 1 ? taken : at >> 1;
            return first < position ? first : position;
        }
        at = tw_load_acquire(&gate->value);
    }
    return position;
}

/* Move every gate that is not leased up to `position`. */
static inline void tw_push_gates(tw_ring_header *header, int64_t position)
{
    for (int i = 0; i < TW_GATES; i++)
        tw_push_gate(&header->gates[i], position);
}

/* A gate of one's own, at the oldest position that the ring holds; NULL where all are in use. Any
 * thread. */
static inline tw_gate *tw_attach_gate(tw_ring_header *header, int64_t on_lag)
{
    int64_t floor = tw_load_acquire(&header->floor.value);
    tw_gate *gate = NULL;
    for (int i = 0; i < TW_GATES && gate == NULL; i++) {
        if (tw_compare_exchange(&header->gates[i].value, TW_GATE_FREE, floor << 1))
            gate = &header->gates[i];
    }
    if (gate == NULL)
        return NULL;
    tw_store_relaxed(&gate->taken, 0);
    tw_store_relaxed(&gate->n_dropped, 0);
    tw_store_relaxed(&gate->n_recent, 0);
    tw_store_relaxed(&gate->max_lag, 0);
    tw_store_relaxed(&gate->on_lag, on_lag);
    for (;;) {
        /* Partner: `tw_advance` and `tw_rewind`, which store the floor, fence and read the gates.
         * Until the gate is known to stand at or above the floor, nothing is taken: the writer may
         * write what lies below. */
        tw_fence();
        floor = tw_load_acquire(&header->floor.value);
        const int64_t at = tw_load_acquire(&gate->value);
        if (at >> 1 >= floor)
            return gate;
        tw_compare_exchange(&gate->value, at, floor << 1);
    }
}

/* Give a gate back; what the writer has still to free is as its own policy says. */
static inline void tw_detach_gate(tw_gate *gate)
{
    tw_store_relaxed(&gate->on_lag, TW_LAG_OVERFLOW);
    tw_store_relaxed(&gate->max_lag, 0);
    tw_store_release(&gate->value, TW_GATE_FREE);
}

/* The first position that a consumer has not taken. A jump of the writer moves its gate alone. */
static inline int64_t tw_next_of(const tw_gate *gate, int64_t at)
{
    const int64_t taken = tw_load_relaxed(&gate->taken);
    return taken > at >> 1 ? taken : at >> 1;
}

#endif
