/* The two clocks of a read, in ns: the same ones that Python's time.time_ns and time.monotonic_ns
 * read, so that stamps taken in C and in Python can be compared.
 */
#ifndef TICKWIRE_CLOCK_H
#define TICKWIRE_CLOCK_H

#include <stdint.h>
#include <time.h>

#ifdef __APPLE__
/* Python's monotonic clock is mach_absolute_time there, which stands still while asleep. */
#define TW_MONOTONIC CLOCK_UPTIME_RAW
#else
#define TW_MONOTONIC CLOCK_MONOTONIC
#endif

static inline int64_t tw_clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Wall clock, ns since the epoch. */
static inline int64_t tw_wall_ns(void) { return tw_clock_ns(CLOCK_REALTIME); }

/* Monotonic clock, ns since an arbitrary start. */
static inline int64_t tw_mono_ns(void) { return tw_clock_ns(TW_MONOTONIC); }

#endif
