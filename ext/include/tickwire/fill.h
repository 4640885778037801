/* One value for many rows of a column. Plain loops over local values, which compilers make wide. */
#ifndef TICKWIRE_FILL_H
#define TICKWIRE_FILL_H

#include <stdint.h>
#include <string.h>

static inline void tw_fill_64(int64_t *column, int64_t n, int64_t value) {
    for (int64_t i = 0; i < n; i++) column[i] = value;
}

static inline void tw_fill_32(int32_t *column, int64_t n, int32_t value) {
    for (int64_t i = 0; i < n; i++) column[i] = value;
}

static inline void tw_fill_16(int16_t *column, int64_t n, int16_t value) {
    for (int64_t i = 0; i < n; i++) column[i] = value;
}

#endif
