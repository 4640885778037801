/* The values of a dictionary: count, offsets and bytes in one mapping, in Arrow's utf8 layout. It only
 * grows and never moves, so batches of any age borrow it.
 *
 * A mapping begins with this header, then come max_values + 1 offsets, then the bytes. `sums` is for
 * who opens the file of a process that has ended: one sum of the values, by which a damaged file is
 * known, of an even and one of an odd count, so that the end of a process between two stores leaves
 * the one that belongs to `count`. */
#ifndef TICKWIRE_DICTIONARY_H
#define TICKWIRE_DICTIONARY_H

#include <stdint.h>

#include "tickwire/ring/mapping.h"

typedef struct {
    int64_t count; /* values; stored (release) by the writer behind their bytes */
    int64_t max_values;
    uint64_t sums[2]; /* FNV-1a of each value's length, one byte, and bytes; at count % 2 */
    int64_t unused[4];
} tw_dictionary_header;

_Static_assert(sizeof(tw_dictionary_header) == 64, "a cache line");

typedef struct {
    tw_mapping *mapping;
    tw_dictionary_header *header;
    int64_t *count;   /* the header's */
    int32_t *offsets; /* one more than values */
    uint8_t *data;
} tw_dictionary;

#define TW_NO_VALUES UINT64_C(0xcbf29ce484222325) /* the sum of none */

/* The sum of values and one more. */
static inline uint64_t tw_add_to_sum(uint64_t sum, const uint8_t *value, size_t n)
{
    sum = (sum ^ (n & 0xff)) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ value[i]) * UINT64_C(0x100000001b3);
    return sum;
}

#endif
