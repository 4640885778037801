/* A step of a template, and what the kernels do at one: the theory is in `decode/_template.pxd`.
 *
 * Rules of this file
 * - A load may reach past `end`, but never into another page than the last byte before it, so that it
 *   cannot fault; what it finds there decides nothing. The address sanitizer cannot know that, so
 *   under it every load is below `end`.
 * - `checked` is a constant. Without it nothing checks whether a load can fault: the caller knows that
 *   TW_SLACK_BYTES behind `end` are on its page, and that p is not behind `end` where a step begins.
 *   A message whose last steps found what stood behind `end` is refused when its end is compared.
 * - What is unusual is refused, and then read again by the fallback. A number's end is not looked
 *   at: the next literal begins with the byte that must stand there. Where it does not because the
 *   number goes on, as in 1e5, the number is for the fallback as well.
 */
#ifndef TICKWIRE_STEP_H
#define TICKWIRE_STEP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/decode/enum_match.h"
#include "tickwire/base/cpu.h"
#include "tickwire/decode/json.h"
#include "tickwire/decode/symbol_cache.h"
#include "tickwire/decode/fast_scalars.h"
#include "tickwire/decode/register.h"
#include "tickwire/decode/seen.h"
#include "tickwire/decode/store.h"
#include "tickwire/decode/timestamp.h"

enum {
    TW_STEP_SKIP_STRING, /* behind its opening quote; the next literal begins with the closing */
    TW_STEP_SKIP_LONG,   /* one of at least TW_LONG_STRING bytes */
    TW_STEP_SKIP_NUMBER, /* one that is not requested; or what else may stand in its place */
    TW_STEP_SKIP,        /* any value */
    TW_STEP_F64,         /* this and what is behind it may set a register */
    TW_STEP_INTEGER,
    TW_STEP_TIME,
    TW_STEP_TEXT,    /* a string for a text column */
    TW_STEP_DIGITS,  /* a bare integer for a text column */
    TW_STEP_CODE,    /* a string for a dictionary */
    TW_STEP_CHOICE,  /* a string or a word among choices */
    TW_STEP_NODE,    /* everything else: the caller walks it */
    TW_STEP_END,     /* the literal is the rest */
    TW_STEP_OBSERVE, /* a string that routing looks at */
    TW_STEP_RULE,    /* a scalar for the fallback */
    TW_STEP_LITERAL, /* nothing but the literal; this and the next four are of scripts alone */
    TW_STEP_ROWS,    /* a place of rows: those behind it are of a row, up to its end */
    TW_STEP_ROW_END,
    TW_STEP_PLAIN_ROWS, /* a list of rows of which each is requested: what they share is written */
    TW_STEP_PLAIN_END,  /* once for all of them */
    /* The rest is of scripts alone, too, and rare: lean kernels have none. */
    TW_STEP_MAGNITUDE, /* a number without its sign */
    TW_STEP_RFC3339,
    TW_STEP_UNITS,   /* a time that may have a fraction, such as one in seconds */
    TW_STEP_SIGN,    /* of a number that another step reads: it stays at its beginning */
    TW_STEP_MARK,    /* where a value begins that several steps read */
    TW_STEP_BACK,    /* back to it */
    TW_STEP_ZERO,    /* a value of the row that is 0 where the register says so */
    TW_STEP_EMIT     /* a row from registers: the caller gives it */
};

enum { TW_LONG_STRING = 32, TW_LONGEST_STRING = 128 };

typedef struct {
    uint8_t literal[TW_LITERAL_MAX];
    uint64_t n;      /* bytes of it, at least 1 */
    uint32_t mask;   /* a bit per byte of it */
    int32_t kind;
    const void *code; /* what the lean kernel does at it */
    void *column;    /* rows: where the value goes; a tw_column for texts */
    int64_t slots;   /* rows: capacity - 1 of the column, so that `row & slots` is its place */
    tw_register *place; /* the register `reg` */
    int64_t unit_ns; /* of a time */
    const tw_symbol_cache *known; /* codes of strings; NULL without */
    const tw_memory *warm; /* remembers an id of the string's trade next: fetched meanwhile; or NULL */
    const void *rows;      /* a tw_row_loop, of TW_STEP_ROWS */
    uint64_t before; /* registers that the steps before this one set */
    void *action;    /* what the fallback would do */
    int32_t store;   /* how the value goes into its column */
    int32_t reg;
    int32_t is_int32; /* an integer's column has 32 bits */
    int32_t node;
    int32_t turn;    /* of a place that gives rows, -1 for others */
    int32_t quoted;
    uint8_t first;   /* the value's first byte, its quote for a quoted one */
    uint32_t length; /* of a string that is not requested: what it was */
    int32_t nullable; /* `null`, or an empty string, may stand here: then this is the value */
    tw_bits null;
    int64_t negative; /* of a sign: what this means; the other is `unit_ns` */
    uint64_t gives;   /* the register that it sets, as a bit; 0 for none */
    int32_t optional; /* its key may be absent: then it gives null, and the next step is tried */
    tw_enum_match choice;
} tw_step;

/* Channel names that a connection has instead of the plan's. */
enum { TW_MAX_LABELS = 8 };
typedef struct {
    int n;
    int64_t plan[TW_MAX_LABELS];
    int64_t name[TW_MAX_LABELS];
} tw_labels;

/* The name that a connection's rows have instead of a channel's. */
static inline int64_t tw_labelled(const tw_labels *labels, int64_t channel) {
    for (int i = 0; i < labels->n; i++) {
        if (labels->plan[i] == channel) return labels->name[i];
    }
    return channel;
}

/* Why a kernel came back. */
enum { TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS, TW_STOP_ADMIT,
       TW_STOP_EMIT,
       TW_STOP_RARE /* of a lean kernel: the other one goes on here */ };

/* A run of steps. The caller sets what is above the line; `step` says where to begin, and then where
 * it ended. */
typedef struct {
    const tw_step *steps;
    const tw_step *step;
    const uint8_t *end;
    tw_register *registers;
    uint64_t *have;         /* registers that hold a value */
    int64_t row;            /* of rows: the first that is not whole */
    int64_t last;           /* of many: it and those behind it may not be filled */
    int admitted;           /* of scripts: what was decided of the row at whose end it stands */
    const uint8_t *element; /* of many, and of plain rows: where the text of `row` begins */
    const tw_labels *labels; /* of scripts; NULL for none */
    uint64_t absent;        /* of scripts: registers whose values are null in this message */
    const uint8_t *mark;    /* of scripts: see TW_STEP_MARK */
    int64_t first_row;      /* of plain rows: from here on they lack what they share */
    struct tw_level_cache *level_cache; /* of levels */
    /* ---- */
    const struct tw_row_loop *place; /* of scripts: that of the row; NULL before the first */
    uint64_t kept_back;     /* of scripts: places of which a row was not requested, by their bits */
    uint64_t known;         /* registers whose values were there before it began */
    int stop;               /* why it ended */
} tw_run;

/* Times of at most this many units of a millisecond or less fit in int64 as ns: the year 2262. */
#define TW_MOST_MILLISECONDS 9223372036000LL
#define TW_NS_PER_MS 1000000

enum { TW_SLACK_BYTES = 64 }; /* two loads */

/* Whether a load that begins up to 32 bytes behind `end` cannot fault. */
TW_INLINE bool tw_has_slack(const uint8_t *end) {
#if defined(__SANITIZE_ADDRESS__)
    (void)end;
    return false;
#else
    return (((uintptr_t)end - 1) & 4095) + TW_SLACK_BYTES <= 4095;
#endif
}

/* n bytes from p on are below `end`. */
#define TW_WITHIN(p, end, n) ((uintptr_t)(p) + (n) <= (uintptr_t)(end))
#if defined(__SANITIZE_ADDRESS__)
#define TW_READABLE(p, end, n) TW_WITHIN(p, end, n)
#else
#define TW_READABLE(p, end, n)                                                                     \
    (TW_WITHIN(p, end, n) || ((p) < (end) && ((uintptr_t)(p) & 4095) <= 4096 - (n)))
#endif

/* Whether a number goes on with c behind what is read here. */
TW_INLINE bool tw_goes_on(uint8_t c) { return c == '.' || (c | 0x20) == 'e' || tw_is_digit(c); }

/* The bytes from p to what was found, which is NULL for nothing. */
TW_INLINE uint64_t tw_bytes_to(const uint8_t *found, const uint8_t *p) {
    return found != NULL ? (uint64_t)(found - p) : 0;
}

/* Where the number began that p is behind; before it is a literal, which does not end so. */
TW_INLINE const uint8_t *tw_number_before(const uint8_t *p) {
    while (tw_is_digit(p[-1]) || p[-1] == '.') p--;
    return p[-1] == '-' ? p - 1 : p;
}

/* Whether a value that begins with c is of the form of one that began with `first`. */
TW_INLINE bool tw_same_form(uint8_t first, uint8_t c) {
    if (first == '"' || first == '{' || first == '[') return c == first;
    return tw_is_digit(c) || c == '-' || c == 't' || c == 'f' || c == 'n';
}

/* Fetch what remembers the ids of a symbol. */
TW_INLINE void tw_fetch(const tw_memory *warm, int64_t code) {
    const tw_symbol_ids *ids = warm != NULL ? tw_ids_of(warm, (uint32_t)code) : NULL;
    if (ids == NULL) return;
    __builtin_prefetch(ids, 1);
    __builtin_prefetch(&ids->tail, 1);
}

/* What is rare stands apart from the kernels, which have more registers without it. */
#define TW_RARE static __attribute__((noinline, unused))

/* Behind what stands for a step's value where that is null; NULL where it is not. */
TW_RARE const uint8_t *tw_behind_null(const tw_step *step, const uint8_t *p, const uint8_t *end) {
    if (step->quoted) return p < end && *p == '"' ? p : NULL;
    return end - p > 4 && memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
}

/* The closing quote of a string with escapes, p behind the opening one; NULL for none. */
TW_RARE const uint8_t *tw_escaped_string_end(const uint8_t *p, const uint8_t *end) {
    int escaped;
    return tw_string_end(p, end, &escaped);
}

TW_RARE bool tw_rfc3339_at(const uint8_t *p, const uint8_t *after, int64_t *out) {
    return tw_parse_rfc3339(p, after, out) && *out != INT64_MIN;
}

/* Behind a count of units; NULL where it is none. */
TW_RARE const uint8_t *tw_units_at(const uint8_t *p, const uint8_t *end, int64_t unit_ns,
                                   int64_t *out) {
    const uint8_t *after = tw_parse_time(p, end, unit_ns, out);
    return after != NULL && *out != INT64_MIN ? after : NULL;
}

/* Whether a number that begins with a minus is less than 0; its digits are looked at by others. */
TW_RARE bool tw_is_below_zero(const uint8_t *p, const uint8_t *end) {
    do p++;
    while (p < end && (*p == '0' || *p == '.'));
    return p < end && tw_is_digit(*p);
}

/* Put the value of a step into a row. */
TW_INLINE bool tw_store(const tw_step *step, const tw_register *reg, int64_t row,
                        const bool checked) {
    if (step->store == TW_STORE_TEXT) {
        bool has_16 = !checked || TW_READABLE(reg->p, reg->p + reg->n, TW_SHORT_TEXT);
        return !reg->escaped && tw_try_put_text((const tw_column *)step->column, row, step->slots,
                                                reg->p, reg->n, has_16);
    }
    tw_put(step->column, step->store, row & step->slots, reg->value.i);
    return true;
}

#endif
