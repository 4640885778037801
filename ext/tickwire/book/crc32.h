/* CRC-32 of IEEE 802.3 (reflected 0x04C11DB7), eight bytes at a time. */
#ifndef TICKWIRE_CRC32_H
#define TICKWIRE_CRC32_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint32_t tw_crc_table[8][256];

/* To be called once before `tw_crc32`; twice does no harm. */
static inline void tw_crc32_prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = (value >> 1) ^ (0xEDB88320u & (0u - (value & 1)));
        tw_crc_table[0][i] = value;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++) {
            const uint32_t value = tw_crc_table[k - 1][i];
            tw_crc_table[k][i] = (value >> 8) ^ tw_crc_table[0][value & 0xFF];
        }
}

static inline uint32_t tw_crc32(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (; n >= 8; p += 8, n -= 8) {
        const uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                                    (uint32_t)p[3] << 24);
        crc = tw_crc_table[7][low & 0xFF] ^ tw_crc_table[6][(low >> 8) & 0xFF] ^
              tw_crc_table[5][(low >> 16) & 0xFF] ^ tw_crc_table[4][low >> 24] ^
              tw_crc_table[3][p[4]] ^ tw_crc_table[2][p[5]] ^ tw_crc_table[1][p[6]] ^
              tw_crc_table[0][p[7]];
    }
    for (; n > 0; p++, n--)
        crc = (crc >> 8) ^ tw_crc_table[0][(crc ^ *p) & 0xFF];
    return ~crc;
}

#endif
