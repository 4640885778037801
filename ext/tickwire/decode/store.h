/* How a row's values are written into the columns of a ring. */
#ifndef TICKWIRE_STORE_H
#define TICKWIRE_STORE_H

#include <stdint.h>

#include "tickwire/ring/ring_text.h"

/* How a column has a value; a text, or its lack, goes by ring_text.h. What has no column goes into 8
 * bytes that are never read. */
enum { TW_STORE_8, TW_STORE_1, TW_STORE_2, TW_STORE_4, TW_STORE_TEXT, TW_STORE_NO_TEXT };

/* Put a number or code into a row of a column that is no text. */
static inline __attribute__((always_inline)) void tw_put(void *column, int32_t store, int64_t slot,
                                                         int64_t value) {
    if (__builtin_expect(store == TW_STORE_8, 1))
        ((int64_t *)column)[slot] = value;
    else if (store == TW_STORE_4)
        ((int32_t *)column)[slot] = (int32_t)value;
    else if (store == TW_STORE_2)
        ((int16_t *)column)[slot] = (int16_t)value;
    else
        ((int8_t *)column)[slot] = (int8_t)value;
}

#endif
