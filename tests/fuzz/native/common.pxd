"""What all native targets share; the rules of this folder are in common.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

# Say what is wrong, and end the process, so that the fuzzer keeps the input.
cdef void fail(str what) noexcept
# The same, with the exception that is being handled.
cdef void fail_with_traceback(str what) noexcept
# Give one input in so many to the Python target of that name; 0.
cdef int also_whole(str name, const uint8_t* data, size_t n) noexcept

cdef inline uint64_t mixed(uint64_t hash, const uint8_t* p, size_t n) noexcept nogil:
    cdef uint64_t word
    hash = (hash ^ n) * <uint64_t> 0x9E3779B97F4A7C15
    while n >= 8:
        memcpy(&word, p, 8)
        hash = (hash ^ word) * <uint64_t> 0x9E3779B97F4A7C15
        hash ^= hash >> 29
        p += 8
        n -= 8
    word = 0
    if n:
        memcpy(&word, p, n)
    hash = (hash ^ word) * <uint64_t> 0x9E3779B97F4A7C15
    return hash ^ (hash >> 32)


# How a stream is cut: as `cut` of frames.py means it, though not at the same places.
cdef struct Cuts:
    uint32_t state
    size_t longest

# The seed as it stands in an input: 0 is no cut at all, 1 every one.
cdef Cuts new_cuts(uint8_t seed) noexcept nogil
# The size of the next piece of what is left.
cdef size_t next_piece(Cuts* cuts, size_t left) noexcept nogil
