/* A block of zeroed, page-aligned memory that outlives its Python owner, and in a file the process.
 *
 * Record batches borrow from rings and dictionaries and may be dropped by any thread, without the
 * GIL, so what they hold on to is counted here and not by Python. Pages cost nothing until touched.
 */
#ifndef TICKWIRE_MAPPING_H
#define TICKWIRE_MAPPING_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tickwire/base/atomics.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

typedef struct {
    int64_t refs;
    size_t n_bytes;
    uint8_t *bytes;
} tw_mapping;

static inline tw_mapping *tw_mapping_of(size_t n_bytes, int protection, int flags, int file)
{
    tw_mapping *mapping = malloc(sizeof *mapping);
    if (mapping == NULL)
        return NULL;
    void *bytes = mmap(NULL, n_bytes, protection, flags, file, 0);
    if (bytes == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mapping->refs = 1;
    mapping->n_bytes = n_bytes;
    mapping->bytes = bytes;
    return mapping;
}

/* A file of at least n_bytes, all of them allocated, which the caller may close; or -1 for memory of
 * the process alone. NULL where the system has no memory. */
static inline tw_mapping *tw_mapping_new(size_t n_bytes, int file)
{
    const int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    return tw_mapping_of(n_bytes, PROT_READ | PROT_WRITE, flags, file);
}

/* The first n_bytes of a file, which the caller may close, to read; NULL where the system has no
 * memory. */
static inline tw_mapping *tw_mapping_open(size_t n_bytes, int file)
{
    return tw_mapping_of(n_bytes, PROT_READ, MAP_SHARED, file);
}

static inline tw_mapping *tw_mapping_retain(tw_mapping *mapping)
{
    tw_add(&mapping->refs, 1);
    return mapping;
}

static inline void tw_mapping_release(tw_mapping *mapping)
{
    if (mapping != NULL && tw_add(&mapping->refs, -1) == 0) {
        munmap(mapping->bytes, mapping->n_bytes);
        free(mapping);
    }
}

#endif
