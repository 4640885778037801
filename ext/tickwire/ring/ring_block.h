/* The layout of a ring's memory: header, directory of columns, columns, text.
 *
 * Everything that is needed to read the block is inside it, as offsets from its start, so that it
 * can become a mapped file. Words that threads share have a 64-byte line of their own.
 *
 * A gate is one word: twice the position of the consumer's next row, plus 1 while rows from there
 * on are leased. One word, so that consumer and writer agree by compare-and-exchange on whether a
 * row was taken or dropped. A free gate is GATE_FREE, whose position holds nobody back.
 *
 * Positions count up for ever; the slot of position p is p modulo capacity. A writer whose consumers
 * have taken everything may jump to a position of slot 0, so that it writes where the cache is warm.
 * What it has jumped over in all is `skipped`: the row at position p has the seq
 * seq_base + p - skipped. That word too is twice its value, plus 1 while the writer jumps: whoever
 * wants a position as a count of rows reads skipped, the position, and skipped again, until both are
 * even and the same.
 */
#ifndef TICKWIRE_RING_BLOCK_H
#define TICKWIRE_RING_BLOCK_H

#include <stdint.h>

enum { TW_RING_VERSION = 2, TW_GATES = 64, TW_NAME_BYTES = 48 };

#define TW_RING_MAGIC "twring\r\n"
#define TW_GATE_FREE INT64_MAX

typedef struct {
    int64_t value;
    int64_t unused[7];
} tw_line;

typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t n_columns;
    uint64_t block_bytes;
    uint64_t capacity; /* rows */
    int64_t seq_base;  /* seq of row 0 */
    uint64_t schema_hash;
    uint64_t recv_mono_offset;
    uint64_t directory_offset;
    tw_line cursor; /* rows below are published; the writer stores it (release) */
    tw_line floor;  /* rows below may have been overwritten; the writer stores it */
    tw_line skipped; /* positions without a row; the writer stores it */
    tw_line gates[TW_GATES];
} tw_ring_header;

typedef struct {
    char name[TW_NAME_BYTES]; /* zero-terminated */
    int32_t kind;             /* schema.Kind */
    int32_t nullable;
    uint64_t offset;       /* values; text: the `ends`, int64 */
    uint64_t valid_offset; /* nullable text: a byte per row, else 0 */
    uint64_t arena_offset; /* text: its bytes, else 0 */
    uint64_t arena_bytes;  /* a power of two */
} tw_ring_column;

_Static_assert(sizeof(tw_line) == 64, "a cache line");
_Static_assert(sizeof(tw_ring_header) == 64 * (1 + 3 + TW_GATES), "lines stay aligned");

#endif
