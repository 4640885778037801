/* Counts the basic blocks that compiled code runs, for a fuzzer to see which input is new.
 *
 * The `fuzz` build calls `__sanitizer_cov_trace_pc` at the start of every block. gcc has no other
 * form of it, and libFuzzer no longer takes this one; so the calls are counted here, in the kind
 * of table that libFuzzer does take. The library must be loaded before Python is (LD_PRELOAD).
 */

#include <stddef.h>
#include <stdint.h>

enum { N_COUNTERS = 1 << 16 };

typedef struct {
    uintptr_t address;
    uintptr_t flags;
} program_counter;

static uint8_t counters[N_COUNTERS];
static program_counter places[N_COUNTERS]; /* libFuzzer wants one for each counter */

void __sanitizer_cov_trace_pc(void) {
    uintptr_t address = (uintptr_t)__builtin_return_address(0);
    /* Fibonacci hashing: blocks are a few bytes apart. */
    counters[((uint64_t)address * UINT64_C(0x9E3779B97F4A7C15)) >> 48]++;
}

/* Show the table to libFuzzer: `init` takes start and end of the counters, `places_init` those of
 * the addresses. */
void tw_coverage_show(void (*init)(uint8_t *, uint8_t *),
                      void (*places_init)(const uintptr_t *, const uintptr_t *)) {
    for (size_t i = 0; i < N_COUNTERS; i++) places[i].address = (uintptr_t)&counters[i];
    init(counters, counters + N_COUNTERS);
    places_init((const uintptr_t *)places, (const uintptr_t *)(places + N_COUNTERS));
}
