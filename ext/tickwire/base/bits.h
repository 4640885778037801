/* Positions of bits. */
#ifndef TICKWIRE_BITS_H
#define TICKWIRE_BITS_H

#include <stdint.h>

/* The position of the highest bit set; value > 0. */
static inline int tw_log2(uint64_t value)
{
    return 63 - __builtin_clzll(value);
}

/* The position of the lowest bit set; value > 0. */
static inline int tw_lowest_bit(uint64_t value)
{
    return __builtin_ctzll(value);
}

#endif
