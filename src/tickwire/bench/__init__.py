"""Measuring tickwire on this machine: throughput and latency over loopback, every answer checked.

Knows nothing of: the commands, and the pipelines that tickwire is compared with (those are in
`benchmarks/`). Words: case, pipeline, yardstick, run, answer, warm-up. Its C part: nowhere.
"""

from tickwire.bench.runs import Result, measure

__all__ = ["Result", "measure"]
