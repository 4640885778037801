"""What all native targets share.

Rules of this folder
--------------------
- Each `run_*` is what libFuzzer calls: any bytes in, 0 out, or the process ends. It reads an input
  the same way as the Python target of the same name, and makes everything anew for each input, or
  puts it back to how it was made. Decoders alone are kept, as they learn.
- One input in so many, chosen by a hash of its bytes, goes through the Python target as well.
- Bytes lie in memory that ends where they do, and what has not been shown yet is poisoned, so that
  the address sanitizer sees a read too far.
- Only scalars.pyx is compiled with the sanitizers and the calls of coverage.c, because what it
  tries is inline in headers; the others are code of the test alone.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort

import sys
import traceback

# The Python targets, and one input in how many they get.
cdef dict whole = {}
cdef dict rates = {}


def prepare(targets, one_in):
    """Say what the Python targets are, and which share of inputs they get."""
    whole.update(targets)
    rates.update(one_in)


cdef void fail(str what) noexcept:
    print(f"== FINDING: {what}", file=sys.stderr, flush=True)
    abort()


cdef void fail_with_traceback(str what) noexcept:
    traceback.print_exc()
    fail(what)


cdef int also_whole(str name, const uint8_t* data, size_t n) noexcept:
    """Give one input in so many to the Python target."""
    if mixed(1, data, n) % <uint64_t> rates[name]:
        return 0
    try:
        whole[name]((<const char*> data)[:n])
    except BaseException:
        fail_with_traceback(f"{name}: the Python target")
    return 0


cdef Cuts new_cuts(uint8_t seed) noexcept nogil:
    cdef Cuts cuts
    cdef size_t[4] lengths = [2, 10, 200, 5000]
    cuts.state = <uint32_t> seed * <uint32_t> 2654435761 + 1
    cuts.longest = 0 if seed == 0 else 1 if seed == 1 else lengths[seed & 3]
    return cuts


cdef size_t next_piece(Cuts* cuts, size_t left) noexcept nogil:
    cdef size_t size
    if cuts.longest == 0:
        return left
    cuts.state ^= cuts.state << 13
    cuts.state ^= cuts.state >> 17
    cuts.state ^= cuts.state << 5
    size = 1 + cuts.state % cuts.longest
    return size if size < left else left
