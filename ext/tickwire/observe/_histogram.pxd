"""A latency histogram that the hot path can write.

Log-linear buckets, as in HdrHistogram: values below 256 ns have a bucket each; above, every
doubling is cut into 128 buckets of equal width, so a bucket is at most 1/128 of its value wide.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    SUB_BITS = 7                    # log2 of the buckets per doubling
    MAX_SHIFT = 35                  # widest bucket: 2**35 ns; values end at 2**43 ns, 2.4 hours
    N_BUCKETS = (MAX_SHIFT + 2) << SUB_BITS

cdef extern from "tickwire/base/bits.h" nogil:
    int tw_log2(uint64_t value)     # value > 0


@cython.final
cdef class Histogram:
    cdef int64_t counts[N_BUCKETS]  # by bucket; one writer at a time
    cdef readonly int64_t count
    cdef double sum_ns              # an integer could overflow
    cdef int64_t min_ns             # of all values; counts 0: INT64_MAX
    cdef int64_t max_ns

    cdef inline void record(self, int64_t value_ns, int64_t count) noexcept nogil:
        """Count `count` values of `value_ns`.

        Shape    one value, any number of times; count > 0.
        Units    ns; below 0 counts as 0, from 2**43 on as the last bucket (max stays exact).
        Returns  nothing. Never raises, never blocks.
        Threads  one writer; readers may see a value in `count` before its bucket.
        Memory   none allocated, no GIL.
        Source   HdrHistogram, with 128 buckets per power of two.
        """
        cdef int shift = 0
        if value_ns < 0:
            value_ns = 0
        if value_ns >> (SUB_BITS + 1) != 0:
            shift = tw_log2(<uint64_t> value_ns) - SUB_BITS
        if shift <= MAX_SHIFT:
            self.counts[(shift << SUB_BITS) + (value_ns >> shift)] += count
        else:
            self.counts[N_BUCKETS - 1] += count
        self.count += count
        self.sum_ns += <double> value_ns * <double> count
        if value_ns > self.max_ns:
            self.max_ns = value_ns
        if value_ns < self.min_ns:
            self.min_ns = value_ns
