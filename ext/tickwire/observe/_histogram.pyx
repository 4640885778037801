"""A latency histogram: what Python does with it. How it is written is in the .pxd."""

from libc.math cimport ceil
from libc.stdint cimport INT64_MAX, int64_t

cdef double NS_PER_US = 1000.0


cdef inline int64_t lowest(int bucket) noexcept nogil:
    # The smallest value of a bucket, ns.
    cdef int shift = (bucket >> SUB_BITS) - 1
    if shift <= 0:
        return bucket
    return <int64_t> (bucket - (shift << SUB_BITS)) << shift


cdef inline int64_t highest(int bucket) noexcept nogil:
    return lowest(bucket + 1) - 1


cdef class Histogram:
    """Latencies in ns, counted in buckets at most 1/128 of their value wide; about 37 KB.

    One writer at a time; reading it meanwhile is safe and at worst a moment behind.

    Attributes
    ----------
    count : int
        How many values.
    """

    def __cinit__(self):
        self.min_ns = INT64_MAX

    def add(self, int64_t value_ns, int64_t count=1):
        """Record a value.

        Parameters
        ----------
        value_ns
            The latency, ns; below 0 counts as 0.
        count
            How many times, at least 1.

        Raises
        ------
        ValueError
            count is below 1.
        """
        if count < 1:
            raise ValueError(f"count is {count}: at least 1")
        self.record(value_ns, count)

    def add_since(
        self, const int64_t[::1] starts not None, const int64_t[::1] counts not None, int64_t now_ns
    ):
        """Record how long ago each of many moments was.

        Parameters
        ----------
        starts
            shape (n,), int64, C-contiguous, monotonic ns; those not above 0 are no times and are
            left out.
        counts
            shape (n,), int64, C-contiguous, how many values began then; those below 1 are left out.
        now_ns
            When they ended, monotonic ns.

        Raises
        ------
        ValueError
            The arrays differ in length.
        """
        cdef Py_ssize_t i
        if starts.shape[0] != counts.shape[0]:
            raise ValueError(f"{starts.shape[0]} starts and {counts.shape[0]} counts")
        with nogil:
            for i in range(starts.shape[0]):
                if starts[i] > 0 and counts[i] > 0:
                    self.record(now_ns - starts[i], counts[i])

    def add_values(self, const int64_t[::1] values_ns not None):
        """Record many values.

        Parameters
        ----------
        values_ns
            shape (n,), int64, C-contiguous, latencies, ns; those below 0 count as 0.
        """
        cdef Py_ssize_t i
        with nogil:
            for i in range(values_ns.shape[0]):
                self.record(values_ns[i], 1)

    def merge(self, Histogram other not None):
        """Add all that another histogram has counted.

        Parameters
        ----------
        other
            Left as it is.
        """
        cdef int i
        for i in range(N_BUCKETS):
            self.counts[i] += other.counts[i]
        self.count += other.count
        self.sum_ns += other.sum_ns
        self.min_ns = min(self.min_ns, other.min_ns)
        self.max_ns = max(self.max_ns, other.max_ns)

    def reset(self):
        """Forget everything. Writer's thread only."""
        cdef int i
        for i in range(N_BUCKETS):
            self.counts[i] = 0
        self.count = self.max_ns = 0
        self.sum_ns = 0.0
        self.min_ns = INT64_MAX

    def percentile(self, double percent):
        """Give the value that `percent` of all values do not exceed.

        Parameters
        ----------
        percent
            0 to 100.

        Returns
        -------
        int
            ns, at most 1/128 above the true value and never above the greatest; 0 when empty.

        Raises
        ------
        ValueError
            percent is not from 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"percent is {percent}: 0 to 100")
        cdef int64_t total = 0
        cdef int i
        # The buckets' own sum: a writer may be between them and `count`.
        for i in range(N_BUCKETS):
            total += self.counts[i]
        if total == 0:
            return 0
        # Rounded up to a rank, but not for what floating point adds to a whole number.
        cdef double rank = percent * <double> total / 100.0
        cdef int64_t wanted = max(<int64_t> ceil(rank - rank * 1e-12), 1)
        cdef int64_t seen = 0
        for i in range(N_BUCKETS):
            seen += self.counts[i]
            if seen >= wanted:
                # The last bucket is open above.
                return self.max_ns if i == N_BUCKETS - 1 else min(highest(i), self.max_ns)
        return self.max_ns

    @property
    def max(self):
        """The greatest value, ns, exact; 0 when empty."""
        return self.max_ns

    @property
    def min(self):
        """The smallest value, ns, exact; 0 when empty."""
        return self.min_ns if self.count else 0

    @property
    def mean(self):
        """The mean of all values, ns, to double precision; 0.0 when empty."""
        return self.sum_ns / <double> self.count if self.count else 0.0

    def to_dict_us(self):
        """Give the figures of the summary.

        Returns
        -------
        dict
            p50, p99, p999 and max in us, None when empty, and count.
        """
        if self.count == 0:
            return {"p50": None, "p99": None, "p999": None, "max": None, "count": 0}
        return {
            "p50": self.percentile(50) / NS_PER_US,
            "p99": self.percentile(99) / NS_PER_US,
            "p999": self.percentile(99.9) / NS_PER_US,
            "max": self.max_ns / NS_PER_US,
            "count": self.count,
        }

    def items(self):
        """Give the buckets that are not empty.

        Returns
        -------
        list of tuple
            (lowest value, highest value, count) in ns, ascending; the last bucket of all is open
            above.
        """
        cdef int i
        return [
            (lowest(i), highest(i), self.counts[i]) for i in range(N_BUCKETS) if self.counts[i]
        ]
