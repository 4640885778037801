/* Tells libFuzzer which code an input runs, and what is compared there.
 *
 * The `fuzz` build calls `__sanitizer_cov_trace_pc` at the start of every basic block. gcc has no
 * other form of it, and libFuzzer no longer takes this one; so the calls are counted here, in the
 * kind of table that libFuzzer does take. All else is passed on to it: it is inside of atheris,
 * where the dynamic linker would not find it before the stubs of the same names in libasan.
 *
 * The library must be loaded before libasan and Python are (LD_PRELOAD).
 */

#include <stddef.h>
#include <stdint.h>

enum { N_COUNTERS = 1 << 15 };

typedef struct {
    uintptr_t address;
    uintptr_t flags;
} program_counter;

/* libFuzzer's functions, filled in by run.py before the first input. */
typedef struct {
    void (*counters_init)(uint8_t *start, uint8_t *stop);
    void (*places_init)(const uintptr_t *start, const uintptr_t *stop);
    void (*cmp1)(uint8_t a, uint8_t b);
    void (*cmp2)(uint16_t a, uint16_t b);
    void (*cmp4)(uint32_t a, uint32_t b);
    void (*cmp8)(uint64_t a, uint64_t b);
    void (*const_cmp1)(uint8_t a, uint8_t b);
    void (*const_cmp2)(uint16_t a, uint16_t b);
    void (*const_cmp4)(uint32_t a, uint32_t b);
    void (*const_cmp8)(uint64_t a, uint64_t b);
    void (*cases)(uint64_t value, uint64_t *cases);
} fuzzer_functions;

static fuzzer_functions fuzzer;
static uint8_t counters[N_COUNTERS];
static program_counter places[N_COUNTERS]; /* libFuzzer wants one for each counter */

void __sanitizer_cov_trace_pc(void) {
    uintptr_t address = (uintptr_t)__builtin_return_address(0);
    /* Fibonacci hashing: blocks are a few bytes apart. */
    counters[((uint64_t)address * UINT64_C(0x9E3779B97F4A7C15)) >> 49]++;
}

/* libFuzzer looks at the return address: with -O2 these are jumps, which leave it as it is. */
#define PASS_ON(name, field, type)                             \
    void __sanitizer_cov_trace_##name(type a, type b) {        \
        if (fuzzer.field) fuzzer.field(a, b);                  \
    }
PASS_ON(cmp1, cmp1, uint8_t)
PASS_ON(cmp2, cmp2, uint16_t)
PASS_ON(cmp4, cmp4, uint32_t)
PASS_ON(cmp8, cmp8, uint64_t)
PASS_ON(const_cmp1, const_cmp1, uint8_t)
PASS_ON(const_cmp2, const_cmp2, uint16_t)
PASS_ON(const_cmp4, const_cmp4, uint32_t)
PASS_ON(const_cmp8, const_cmp8, uint64_t)

/* gcc compares these too; libFuzzer has no use for them. */
void __sanitizer_cov_trace_cmpf(float a, float b) { (void)a, (void)b; }
void __sanitizer_cov_trace_cmpd(double a, double b) { (void)a, (void)b; }

void __sanitizer_cov_trace_switch(uint64_t value, uint64_t *cases) {
    if (fuzzer.cases) fuzzer.cases(value, cases);
}

/* native/interpreted.pyx counts in the same table what Python code runs. */
uint8_t *tw_coverage_counters(size_t *n) {
    *n = N_COUNTERS;
    return counters;
}

/* The order is that of the structure. */
void tw_coverage_connect(const fuzzer_functions *functions) {
    fuzzer = *functions;
    for (size_t i = 0; i < N_COUNTERS; i++) places[i].address = (uintptr_t)&counters[i];
    fuzzer.counters_init(counters, counters + N_COUNTERS);
    fuzzer.places_init((const uintptr_t *)places, (const uintptr_t *)(places + N_COUNTERS));
}

/* The counters since the last call, which go back to zero: for keep.py, where no fuzzer runs. */
void tw_coverage_take(uint8_t *to) {
    for (size_t i = 0; i < N_COUNTERS; i++) {
        to[i] = counters[i];
        counters[i] = 0;
    }
}
