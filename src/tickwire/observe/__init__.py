"""The registry: counters, gauges and latency histograms that the hot path can write.

Knows nothing of: who counts and who reads. Words: metric, label, counter, gauge, histogram,
percentile. Its C part: ext/tickwire/observe.
"""

from tickwire.observe._counter import Counter, Gauge
from tickwire.observe._histogram import Histogram
from tickwire.observe.kinds import Kind, Metric
from tickwire.observe.metrics import METRICS
from tickwire.observe.registry import Metrics, Registry

__all__ = ["METRICS", "Counter", "Gauge", "Histogram", "Kind", "Metric", "Metrics", "Registry"]
