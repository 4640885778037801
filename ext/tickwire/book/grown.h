/* Memory by number that becomes larger: what a room keeps of each symbol. */
#ifndef TICKWIRE_GROWN_H
#define TICKWIRE_GROWN_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Slots for `size` things where there were `n`, with zeros in the new ones. NULL without memory: what
 * there was is still there, and the caller's. */
static inline void *tw_grown(void *slots, int64_t n, int64_t size, size_t slot_bytes)
{
    char *larger = realloc(slots, (size_t)size * slot_bytes);
    if (larger != NULL)
        memset(larger + (size_t)n * slot_bytes, 0, (size_t)(size - n) * slot_bytes);
    return larger;
}

#endif
