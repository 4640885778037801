"""Counters and latency histograms that the hot path can write.

Knows nothing of: who reads them. Words: counter, histogram, percentile. Its C part:
ext/tickwire/observe.
"""

from tickwire.observe._histogram import Histogram

__all__ = ["Histogram"]
