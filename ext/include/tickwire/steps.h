/* The kernels that run the steps of a template, one of each kind for every level of SIMD. */
#ifndef TICKWIRE_STEPS_H
#define TICKWIRE_STEPS_H

#include "tickwire/place.h"
#include "tickwire/step.h"

/* Why a kernel came back. */
enum { TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS, TW_STOP_ADMIT };

/* Runs steps[*at] and those behind it. *stop says why it came back, *at where, and the result is the
 * text there. There are three kernels:
 * - run: values go into registers;
 * - row: and into rows->row, which all of them belong to;
 * - many: the text is the elements of an array, a row each, from rows->row on; the end is behind the
 *   array's bracket;
 * - script: the text is a whole message, whose places of rows are among the steps. */
typedef const uint8_t *(*tw_steps_fn)(const tw_step *steps, int *at, const uint8_t *p,
                                      const uint8_t *end, tw_register *registers, uint64_t *have,
                                      int *stop, tw_rows *rows);
typedef struct {
    tw_steps_fn run, row, many, script;
} tw_kernels;

#define TW_KERNEL(name) name##_portable
#define TW_KERNEL_TARGET
#define TW_UNLIKE tw_unlike_slow
#define TW_STRING tw_plain_string_end
#define TW_F64 tw_plain_f64
#define TW_INTEGER tw_plain_u63
#include "tickwire/steps_kernel.inc"

#if defined(TW_X86)
#include "tickwire/levels.h"
#define TW_LEVELS tw_levels
#define TW_KERNEL(name) name##_avx2
#define TW_KERNEL_TARGET __attribute__((target("avx2,bmi,bmi2")))
#define TW_UNLIKE tw_unlike_fast
#define TW_STRING tw_string_fast
#define TW_F64 tw_f64_fast
#define TW_INTEGER tw_integer_fast
#include "tickwire/steps_kernel.inc"
#endif

/* The kernels for the level of SIMD that is in force. */
static inline void tw_choose_kernels(tw_kernels *kernels) {
#if defined(TW_X86)
    if (tw_simd_level() >= TW_SIMD_AVX2) {
        *kernels = (tw_kernels){tw_run_avx2, tw_row_avx2, tw_many_avx2,
                                tw_script_avx2};
        return;
    }
#endif
    *kernels = (tw_kernels){tw_run_portable, tw_row_portable, tw_many_portable,
                            tw_script_portable};
}

#endif
