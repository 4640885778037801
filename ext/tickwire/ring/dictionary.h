/* The values of a dictionary: count, offsets and bytes in one mapping, in Arrow's utf8 layout. It only
 * grows and never moves, so batches of any age borrow it. */
#ifndef TICKWIRE_DICTIONARY_H
#define TICKWIRE_DICTIONARY_H

#include <stdint.h>

#include "tickwire/ring/mapping.h"

typedef struct {
    tw_mapping *mapping;
    int64_t *count;   /* values; stored (release) by the writer behind their bytes */
    int32_t *offsets; /* one more than values */
    uint8_t *data;
} tw_dictionary;

#endif
