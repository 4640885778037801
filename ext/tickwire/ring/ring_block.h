/* The layout of a ring's memory: header, directory of columns, columns, text.
 *
 * Everything that is needed to read the block, and to go on writing it, is inside it, as offsets from
 * its start, so that it can become a mapped file: `tw_ring` (ring.h) has nothing that it could not
 * derive from here. Words that threads share have a 64-byte line of their own.
 *
 * A gate is one word: twice the position of the consumer's next row, plus 1 while rows from there
 * on are leased. One word, so that consumer and writer agree by compare-and-exchange on whether a
 * row was taken or dropped. A free gate is TW_GATE_FREE, whose position does not hold the writer back.
 * A consumer that commits later than it takes has a second word, `taken`; its gate is what it has
 * committed. It changes `taken` only while its gate is leased, so that the two agree for the writer.
 *
 * Positions count up for ever; the slot of position p is p modulo capacity. A writer whose consumers
 * have taken everything may jump to a position of slot 0, so that it writes where the cache is warm.
 * What it has jumped over in all is `skipped`: the row at position p has the seq
 * seq_base + p - skipped. That word too is twice its value, plus 1 while the writer jumps: to
 * get a position as a count of rows, read skipped, the position, and skipped again, until both are
 * even and the same.
 *
 * Who reads without a gate (ring_reader.h) does not hold the writer, and has to know what may be
 * written over meanwhile. So the writer says so before it writes: `claimed` for rows, `text_claimed`
 * for the bytes of each column of texts. It claims some hundred rows at a time.
 */
#ifndef TICKWIRE_RING_BLOCK_H
#define TICKWIRE_RING_BLOCK_H

#include <stdint.h>

#include "tickwire/ring/drop_log.h"

enum { TW_RING_VERSION = 5, TW_GATES = 64, TW_NAME_BYTES = 48, TW_MAX_COLUMNS = 64 };

#define TW_RING_MAGIC "twring\r\n"
#define TW_GATE_FREE INT64_MAX

/* schema.Kind */
enum tw_kind {
    TW_KIND_I64,
    TW_KIND_I32,
    TW_KIND_F64,
    TW_KIND_TS,
    TW_KIND_BOOL,
    TW_KIND_CODE16,
    TW_KIND_CODE32,
    TW_KIND_TEXT,
    TW_KIND_BINARY
};

typedef struct {
    int64_t value;
    int64_t unused[7];
} tw_line;

/* The last jump: of the writer, and of who reads without a gate. */
typedef struct {
    int64_t value; /* where it has led, 0 before it */
    int64_t from;  /* behind the last row before it */
    int64_t unused[6];
} tw_lap;

/* What a full ring does with a consumer that lags. */
enum tw_on_lag { TW_LAG_OVERFLOW, /* what the ring's policy says */ TW_LAG_BLOCK, TW_LAG_DROP };

/* A consumer's line. */
typedef struct {
    int64_t value;     /* the gate */
    int64_t taken;     /* rows below were copied out, where that is more than the gate says */
    int64_t on_lag;    /* tw_on_lag; the consumer stores it when it attaches */
    int64_t n_dropped; /* rows that it lost, in all; the writer's, as those below */
    int64_t n_recent;  /* rows that it lost and that were not reported yet */
    int64_t ts_first_ns; /* their ts_recv */
    int64_t ts_last_ns;
    int64_t max_lag;   /* rows that may wait for it before the writer waits; 0: no bound but the ring */
} tw_gate;

typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t n_columns;
    uint64_t block_bytes;
    uint64_t capacity; /* rows, a power of two */
    int64_t seq_base;  /* seq of row 0 */
    uint64_t schema_hash;
    uint64_t recv_mono_offset;
    uint64_t directory_offset;
    tw_line cursor;  /* rows below are published; the writer stores it (release) */
    tw_line floor;   /* rows below may have been overwritten; the writer stores it */
    tw_line skipped; /* positions without a row; the writer stores it */
    tw_lap lap;
    tw_gate gates[TW_GATES];
    tw_drop_log drops; /* of the writer alone */
    tw_line claimed;   /* rows below may be being filled; the writer stores it before it fills them */
    int64_t text_claimed[TW_MAX_COLUMNS]; /* likewise the texts' bytes below, counted like the ends */
} tw_ring_header;

/* A column in the directory. */
typedef struct {
    char name[TW_NAME_BYTES]; /* zero-terminated */
    int32_t kind;             /* tw_kind */
    int32_t nullable;
    uint64_t offset;       /* values; text: the `ends`, int64 */
    uint64_t valid_offset; /* nullable text: a byte per row, else 0 */
    uint64_t arena_offset; /* text: its bytes, else 0 */
    uint64_t arena_bytes;  /* a power of two */
} tw_column_entry;

_Static_assert(sizeof(tw_line) == 64 && sizeof(tw_gate) == 64, "a cache line");
_Static_assert(sizeof(tw_ring_header) ==
                   64 * (1 + 4 + TW_GATES) + sizeof(tw_drop_log) + 64 + 8 * TW_MAX_COLUMNS,
               "lines stay aligned");

#endif
