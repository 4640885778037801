/* The kernels that run the steps of a template, one of each kind for every level of SIMD. */
#ifndef TICKWIRE_STEPS_H
#define TICKWIRE_STEPS_H

#include "tickwire/decode/row_loop.h"
#include "tickwire/decode/step_avx2.h"

/* Runs run->step and those behind it; p is where its literal should stand. Gives the text where it
 * stopped. There are four kernels:
 * - flat: values go into registers;
 * - row: and into run->row, which all of them belong to;
 * - many: the text is the elements of an array, a row each, from run->row on; the end is behind the
 *   array's bracket;
 * - script: the text is a whole message, whose places of rows are among the steps. */
typedef const uint8_t *(*tw_steps_fn)(tw_run *run, const uint8_t *p);
typedef struct {
    tw_steps_fn flat, row, many, script;
    tw_steps_fn script_slack; /* of messages with TW_SLACK_BYTES behind them: `tw_has_slack` */
    tw_steps_fn script_lean; /* of those, a script without rare steps: see `steps_loop.inc` */
    const void *const *codes; /* by a step's kind: what `script_lean` looks for in it; or NULL */
    tw_steps_fn levels;       /* before `many`, where elements are levels of a book; or NULL */
} tw_kernels;

#define TW_KERNEL(name) name##_portable
#define TW_KERNEL_TARGET
#define TW_UNLIKE(p, end, step, checked) !tw_literal_at(p, end, (step)->literal, (uint32_t)(step)->n)
#define TW_STRING(p, end, checked) tw_plain_string_end(p, end)
#define TW_IS_PLAIN_TEXT(p, end, n) false
#define TW_F64(p, end, out, n, checked) ((*(n) = tw_bytes_to(tw_plain_f64(p, end, out), p)) != 0)
#define TW_INTEGER(p, end, out, n, checked)                                                        \
    ((*(n) = tw_bytes_to(tw_plain_u63(p, end, out), p)) != 0)
#define TW_SKIP_NUMBER(p, end, n, checked) (*(n) = 0, false)
#define TW_KNOWN_AT tw_symbol_at
#define TW_SLOT_OF tw_slot_of
#define TW_LEVELS(run, place, p, row_) ((run)->row = (row_), (p))
#define TW_SHARE_CELLS tw_share_cells_body
#include "tickwire/decode/steps_kernel.inc"

#if defined(TW_X86)
#include "tickwire/decode/levels.h"
#define TW_SLACK
#define TW_KERNEL(name) name##_avx2
#define TW_KERNEL_TARGET __attribute__((target("avx2,bmi,bmi2")))
#define TW_UNLIKE tw_unlike_fast
#define TW_STRING tw_string_fast
#define TW_IS_PLAIN_TEXT tw_is_plain_text_fast
#define TW_F64 tw_f64_fast
#define TW_INTEGER tw_integer_fast
#define TW_SKIP_NUMBER tw_skip_number_fast
#define TW_KNOWN_AT tw_symbol_at_fast
#define TW_SLOT_OF tw_slot_of_fast
#define TW_LEVELS tw_script_levels
#define TW_SHARE_CELLS tw_share_cells_avx2
#include "tickwire/decode/steps_kernel.inc"
#endif

/* The kernels for the level of SIMD that is in force. */
static inline void tw_choose_kernels(tw_kernels *kernels) {
#if defined(TW_X86)
    if (tw_simd_level() >= TW_SIMD_AVX2) {
        const void *codes = tw_script_lean_avx2(NULL, NULL);
        *kernels = (tw_kernels){tw_flat_avx2,         tw_row_avx2,
                                tw_many_avx2,         tw_script_avx2,
                                tw_script_slack_avx2, tw_script_lean_avx2,
                                (const void *const *)codes,
                                tw_levels};
        return;
    }
#endif
    *kernels = (tw_kernels){tw_flat_portable, tw_row_portable, tw_many_portable,
                            tw_script_portable, tw_script_portable, tw_script_portable, NULL, NULL};
}

#endif
