/* A fast hash of short strings, eight bytes at a time.
 *
 * Folded 64x64 -> 128 multiplication, as in the wyhash family. Not cryptographic; the caller's seed
 * keeps strings from the network from being chosen to collide. Reads only the n bytes given.
 */
#ifndef TICKWIRE_HASH_H
#define TICKWIRE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t tw_fold_multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t tw_load_partial(const uint8_t *bytes, size_t n)
{
    uint32_t low, high;
    if (n >= 4) {
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + n - 4, 4);
        return (uint64_t)high << 32 | low;
    }
    if (n == 0)
        return 0;
    return (uint64_t)bytes[0] << 16 | (uint64_t)bytes[n >> 1] << 8 | bytes[n - 1];
}

static inline uint64_t tw_hash(const uint8_t *bytes, size_t n, uint64_t seed)
{
    uint64_t hash = seed ^ (n * 0x9e3779b97f4a7c15u);
    uint64_t word;
    for (; n > 8; n -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = tw_fold_multiply(hash ^ word, 0xd6e8feb86659fd93u ^ seed);
    }
    word = n == 8 ? 0 : tw_load_partial(bytes, n);
    if (n == 8)
        memcpy(&word, bytes, 8);
    return tw_fold_multiply(hash ^ word, 0xa0761d6478bd642fu ^ seed);
}

#endif
