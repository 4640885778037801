"""SIMD levels of an extension module; each module has its own (see cpu.h)."""

cdef extern from "tickwire/base/cpu.h":
    int tw_simd_level() nogil
    int tw_simd_force(int level) nogil
    const char* tw_simd_name(int level) nogil


# Use the level of that name from now on, None: the best. False if this machine has not.
cdef inline bint force_simd_level(str level):
    cdef int i
    if level is None:
        return tw_simd_force(-1) >= 0
    for i in range(4):
        if tw_simd_name(i).decode() == level:
            return tw_simd_force(i) >= 0
    return False
