"""Senders, receivers and reports: throughput and latency over loopback, every answer checked.

Knows nothing of: the commands, and the pipelines that tickwire is compared with (those are in
`benchmarks/`). Words: case, pipeline, baseline, job, run, answer, warm-up. Its C part: nowhere.
"""

from tickwire.bench.cases import CASES, Case
from tickwire.bench.runs import Result, measure
from tickwire.bench.throughput import measure_throughput

__all__ = ["CASES", "Case", "Result", "measure", "measure_throughput"]
