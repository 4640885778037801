/* Connections that bring the same book in turns: which of them is in step with it.
 *
 * A connection is in step where what it brings next is the book's next change, or a copy of one that
 * was taken. Each symbol has TW_MOST_WITNESSES slots, `all` in the functions here.
 */
#ifndef TICKWIRE_WITNESSES_H
#define TICKWIRE_WITNESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TW_MOST_WITNESSES = 8, /* connections of a symbol at a time */
    /* After so long a connection that has brought a snapshot, and no change, is in step with one that
     * has brought none either. */
    TW_QUIET_NS = 1000000000
};

typedef struct {
    int32_t conn; /* -1: none */
    uint8_t is_in_step;
    uint8_t has_pending;
    uint8_t has_missed; /* another has brought a change since it began, and it has not */
    uint64_t pending; /* hash of the last of its changes that was not taken */
    int64_t begun_ns; /* when its snapshot came, or a hole, by the monotonic clock */
} tw_witness;

static inline void tw_witnesses_clear(tw_witness *all)
{
    for (int i = 0; i < TW_MOST_WITNESSES; i++) {
        all[i].conn = -1;
        all[i].is_in_step = 0;
    }
}

/* What is known of a connection, or NULL. */
static inline tw_witness *tw_witness_of(tw_witness *all, int32_t conn)
{
    for (int i = 0; i < TW_MOST_WITNESSES; i++)
        if (all[i].conn == conn)
            return &all[i];
    return NULL;
}

/* A connection begins anew, out of step; where need be in the place of the oldest. */
static inline tw_witness *tw_witness_begin(tw_witness *all, int32_t conn, int64_t now_ns)
{
    tw_witness *found = tw_witness_of(all, conn);
    if (found == NULL) {
        found = all;
        for (int i = 1; i < TW_MOST_WITNESSES; i++)
            if (all[i].conn < found->conn)
                found = &all[i];
    }
    found->conn = conn;
    found->is_in_step = found->has_pending = found->has_missed = 0;
    found->begun_ns = now_ns;
    return found;
}

/* A connection has brought a snapshot that was taken: what the others brought before it says nothing
 * about it. */
static inline void tw_witness_start(tw_witness *all, int32_t conn, int64_t now_ns)
{
    for (int i = 0; i < TW_MOST_WITNESSES; i++) {
        all[i].is_in_step = all[i].has_missed = 0;
        all[i].begun_ns = now_ns;
    }
    tw_witness_begin(all, conn, now_ns)->is_in_step = 1;
}

/* Another connection from which the symbol's changes can be taken, or NULL. */
static inline tw_witness *tw_witness_heir(tw_witness *all, int32_t conn, int64_t now_ns)
{
    for (int i = 0; i < TW_MOST_WITNESSES; i++)
        if (all[i].conn >= 0 && all[i].conn != conn && all[i].is_in_step)
            return &all[i];
    for (int i = 0; i < TW_MOST_WITNESSES; i++)
        if (all[i].conn >= 0 && all[i].conn != conn && !all[i].has_pending && !all[i].has_missed &&
            now_ns - all[i].begun_ns >= TW_QUIET_NS)
            return &all[i];
    return NULL;
}

/* Whether a change of a connection is to be taken, and who is in step by it; hash 0: no other brings
 * the same. */
static inline bool tw_witness_is_turn(tw_witness *all, int32_t conn, uint64_t hash)
{
    tw_witness *own = tw_witness_of(all, conn);
    if (own == NULL)
        return false;
    if (!own->is_in_step) {
        own->has_pending = hash != 0;
        own->pending = hash;
        return false;
    }
    for (int i = 0; hash != 0 && i < TW_MOST_WITNESSES; i++) {
        if (all[i].has_pending && all[i].pending == hash && all[i].conn != conn) {
            all[i].has_pending = 0;
            all[i].is_in_step = all[i].conn >= 0;
        }
        all[i].has_missed = !all[i].is_in_step;
    }
    return true;
}

/* A connection has brought a copy of a change that was taken. */
static inline void tw_witness_keep_step(tw_witness *all, int32_t conn, int64_t now_ns)
{
    tw_witness *own = tw_witness_of(all, conn);
    if (own == NULL)
        own = tw_witness_begin(all, conn, now_ns);
    own->is_in_step = 1;
    own->has_pending = own->has_missed = 0;
}

static inline void tw_witness_leave(tw_witness *all, int32_t conn)
{
    tw_witness *own = tw_witness_of(all, conn);
    if (own != NULL) {
        own->conn = -1;
        own->is_in_step = own->has_pending = 0;
    }
}

#endif
