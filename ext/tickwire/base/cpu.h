/* Which SIMD instructions this machine has, asked once per extension module.
 *
 * Kernels are compiled for every level that the compiler can make and chosen at run time with
 * `tw_simd_level()`: a load and a branch that is always predicted. Levels of one architecture are
 * ordered, so `>=` asks for "at least". Each extension module has its own copy of the level, so
 * that a test can force one without touching the others.
 */
#ifndef TICKWIRE_CPU_H
#define TICKWIRE_CPU_H

#if defined(__x86_64__) || defined(_M_X64)
#define TW_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define TW_NEON 1
#include <arm_neon.h>
#endif

enum {
    TW_SIMD_UNKNOWN = -1,
    TW_SIMD_PORTABLE = 0, /* plain C, anywhere */
    TW_SIMD_NEON = 1,     /* arm64: part of the architecture */
    TW_SIMD_SSE2 = 2,     /* x86-64: part of the architecture */
    TW_SIMD_AVX2 = 3      /* x86-64, with BMI1 and BMI2: asked of the processor and the system */
};

static int tw_simd_level_found = TW_SIMD_UNKNOWN;

/* What the machine can do, whatever a test has forced. */
static inline int tw_simd_detect(void)
{
#if defined(TW_X86)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                   __builtin_cpu_supports("bmi2")
               ? TW_SIMD_AVX2
               : TW_SIMD_SSE2;
#elif defined(TW_NEON)
    return TW_SIMD_NEON;
#else
    return TW_SIMD_PORTABLE;
#endif
}

/* The level to use. Two threads that ask first at once write the same value. */
static inline int tw_simd_level(void)
{
    if (__builtin_expect(tw_simd_level_found == TW_SIMD_UNKNOWN, 0))
        tw_simd_level_found = tw_simd_detect();
    return tw_simd_level_found;
}

/* Use a lower level from now on; gives -1 and changes nothing where the machine cannot. */
static inline int tw_simd_force(int level)
{
    int best = tw_simd_detect();
    if (level == TW_SIMD_UNKNOWN)
        level = best;
    if (level < TW_SIMD_PORTABLE || level > best || (level == TW_SIMD_NEON && best != TW_SIMD_NEON))
        return -1;
    tw_simd_level_found = level;
    return level;
}

static inline const char *tw_simd_name(int level)
{
    switch (level) {
    case TW_SIMD_AVX2: return "avx2";
    case TW_SIMD_SSE2: return "sse2";
    case TW_SIMD_NEON: return "neon";
    default: return "portable";
    }
}

#endif
