/* Counts what a thread allocates; preloaded by allocations.py. glibc only. */
#include <stddef.h>

extern void* __libc_malloc(size_t n);
extern void* __libc_calloc(size_t n, size_t size);
extern void* __libc_realloc(void* block, size_t n);
extern void* __libc_memalign(size_t alignment, size_t n);

static __thread unsigned long n_allocations;

unsigned long tickwire_allocations(void) { return n_allocations; }

void* malloc(size_t n) {
    n_allocations++;
    return __libc_malloc(n);
}

void* calloc(size_t n, size_t size) {
    n_allocations++;
    return __libc_calloc(n, size);
}

void* realloc(void* block, size_t n) {
    n_allocations++;
    return __libc_realloc(block, n);
}

void* memalign(size_t alignment, size_t n) {
    n_allocations++;
    return __libc_memalign(alignment, n);
}

void* aligned_alloc(size_t alignment, size_t n) { return memalign(alignment, n); }

int posix_memalign(void** block, size_t alignment, size_t n) {
    *block = memalign(alignment, n);
    return *block == NULL ? 12 : 0; /* ENOMEM */
}
