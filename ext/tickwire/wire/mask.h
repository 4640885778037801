/* RFC 6455 section 5.3: payload byte i is xored with byte i modulo 4 of the mask key. */
#ifndef TICKWIRE_MASK_H
#define TICKWIRE_MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Mask or unmask n bytes in place; `offset` is how many payload bytes came before them.
 *
 * The key is turned to the phase of the first byte and doubled to a word, whose byte order does not
 * matter since bytes are only copied. The loop of words is one that compilers make vectors of.
 */
static inline void tw_mask(uint8_t *bytes, size_t n, const uint8_t key[4], size_t offset)
{
    uint8_t turned[8];
    uint64_t word;
    size_t i = 0;

    for (size_t k = 0; k < 8; k++)
        turned[k] = key[(offset + k) & 3];
    memcpy(&word, turned, 8);
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        memcpy(&eight, bytes + i, 8);
        eight ^= word;
        memcpy(bytes + i, &eight, 8);
    }
    for (; i < n; i++)
        bytes[i] ^= turned[i & 7];
}

#endif
