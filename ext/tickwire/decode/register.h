/* Where a value of a message waits for its row. */
#ifndef TICKWIRE_REGISTER_H
#define TICKWIRE_REGISTER_H

#include <stddef.h>
#include <stdint.h>

typedef union {
    int64_t i;
    double f;
} tw_bits;

typedef struct {
    tw_bits value;
    const uint8_t *p; /* texts and observed values; in the payload */
    size_t n;
    int escaped;      /* a string with a backslash in it */
    int is_number;    /* value.i is the integer that the text spells */
} tw_register;

#endif
