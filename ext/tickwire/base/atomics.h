/* Atomic access to 64-bit words that threads (later: processes) share.
 *
 * The words live in memory that the owner has aligned; C11 semantics through the compilers'
 * builtins, because C11's own atomics want a qualified type that Cython cannot name.
 */
#ifndef TICKWIRE_ATOMICS_H
#define TICKWIRE_ATOMICS_H

#include <stdint.h>

static inline int64_t tw_load_relaxed(const int64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline int64_t tw_load_acquire(const int64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void tw_store_relaxed(int64_t *word, int64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void tw_store_release(int64_t *word, int64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* True where the word held `expected` and holds `desired` now. */
static inline int tw_compare_exchange(int64_t *word, int64_t expected, int64_t desired)
{
    return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* The new value. */
static inline int64_t tw_add(int64_t *word, int64_t amount)
{
    return __atomic_add_fetch(word, amount, __ATOMIC_ACQ_REL);
}

/* Orders a store before it against a load behind it, as two sides that each write one word and
 * read the other's need. */
static inline void tw_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
