/* The kernels that run the steps of a template, one of each kind for every level of SIMD. */
#ifndef TICKWIRE_STEPS_H
#define TICKWIRE_STEPS_H

#include "tickwire/step.h"

/* Why a kernel came back. */
enum { TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS };

/* Runs steps[*at] and those behind it: *stop says why it came back, *at where, and the result is the
 * text there. Values go into registers. */
typedef const uint8_t *(*tw_run_fn)(const tw_step *steps, int *at, const uint8_t *p,
                                    const uint8_t *end, tw_register *registers, uint64_t *have,
                                    int *stop);
/* The same for a template whose values are one row: they go into row `head` as well. */
typedef const uint8_t *(*tw_row_fn)(const tw_step *steps, int *at, const uint8_t *p,
                                    const uint8_t *end, tw_register *registers, uint64_t *have,
                                    int *stop, int64_t head, int64_t mask);

#define TW_KERNEL(name) name##_portable
#define TW_KERNEL_TARGET
#define TW_LITERAL tw_literal_slow
#define TW_STRING tw_plain_string_end
#define TW_F64 tw_plain_f64
#define TW_INTEGER tw_plain_u63
#include "tickwire/steps_kernel.h"

#if defined(TW_X86)
#define TW_KERNEL(name) name##_avx2
#define TW_KERNEL_TARGET __attribute__((target("avx2,bmi,bmi2")))
#define TW_LITERAL tw_literal_fast
#define TW_STRING tw_string_fast
#define TW_F64 tw_f64_fast
#define TW_INTEGER tw_integer_fast
#include "tickwire/steps_kernel.h"
#endif

/* The kernels for the level of SIMD that is in force. */
static inline void tw_steps_for(tw_run_fn *run, tw_row_fn *row) {
#if defined(TW_X86)
    if (tw_simd_level() >= TW_SIMD_AVX2) {
        *run = tw_run_avx2;
        *row = tw_row_avx2;
        return;
    }
#endif
    *run = tw_run_portable;
    *row = tw_row_portable;
}

#endif
