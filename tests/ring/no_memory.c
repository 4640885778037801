/* Preloaded: the allocations of a ring's memory pool that are to fail. It is the only one that calls
   aligned_alloc here. */
#include <errno.h>
#include <stddef.h>

void *memalign(size_t alignment, size_t n_bytes); /* of the C library; aligned_alloc is this */

static long n_before = -1; /* so many succeed, then one fails; below 0: all succeed */

void tw_fail_after(long n) { n_before = n; }

void *aligned_alloc(size_t alignment, size_t n_bytes)
{
    if (n_before >= 0 && n_before-- == 0) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(alignment, n_bytes);
}
