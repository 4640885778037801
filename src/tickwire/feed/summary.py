"""What a run came to, in numbers: the JSON of `--summary`, and the line that moves.

All figures come from the registry; nothing is collected here.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tickwire._version import __version__
from tickwire.observe import METRICS, Metric, Registry

PROC_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Status:
    """How a feed stands at this moment.

    Parameters
    ----------
    connected, connections
        Links with an open connection, and all.
    messages, rows, gaps
        Counts since the start.
    depth
        The fullest ring, 0 to 1.
    p99_us
        From read to commit, or to the ring without a sink; None before the first row.
    blocked
        Table and consumer, as `book/batches-1`, to the seconds in which a full ring waited for it.
    refused
        Subscriptions that cannot be had now.
    silent, stale
        Streams that never had a row though acknowledged, and those silent for too long.
    waiting
        Table and consumer to the rows that wait for it.
    failing_sinks
        Sinks whose output raises errors, or does not return, at the moment, by name.
    """

    connected: int = 0
    connections: int = 0
    messages: int = 0
    rows: int = 0
    gaps: int = 0
    depth: float = 0.0
    p99_us: float | None = None
    blocked: Mapping[str, float] = field(default_factory=dict)
    refused: int = 0
    silent: int = 0
    stale: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    failing_sinks: tuple[str, ...] = ()


class Usage:
    """Wall, CPU and memory use of this process since it was made."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._cpu_began_s = time.process_time()
        self._seconds: float | None = None

    def stop(self) -> None:
        """Let the time stand still: the feed has stopped reading."""
        if self._seconds is None:
            self._seconds = time.monotonic() - self._began_s

    def to_dict(self) -> dict[str, float | int]:
        """Give seconds, CPU seconds and the peak of memory."""
        seconds = time.monotonic() - self._began_s if self._seconds is None else self._seconds
        return {
            "seconds": seconds,
            "cpu_seconds": time.process_time() - self._cpu_began_s,
            "peak_rss_bytes": peak_rss_bytes(),
        }


def peak_rss_bytes() -> int:
    """Give the most memory that this process has had resident.

    Linux's `ru_maxrss` begins with that of the process that started this one; the peak of its own
    is in /proc.
    """
    with contextlib.suppress(OSError):  # not on Linux
        for line in PROC_STATUS.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def summarise(name: str, registry: Registry, usage: Usage) -> dict[str, Any]:
    """Give the summary of a run.

    Parameters
    ----------
    name
        The feed's.
    registry
        Its figures; those with a summary key are found by it.
    usage
        Started with the feed.
    """
    stalls = registry.by("sink_stalls", "sink")
    stall_s = registry.by("sink_stall_seconds", "sink")
    longest_s = registry.by("sink_longest_stall_seconds", "sink")
    return {
        "version": __version__,
        "feed": name,
        **usage.to_dict(),
        **{metric.summary: _figure(registry, metric) for metric in METRICS if metric.summary},
        "rows_left": {
            sink: rows
            for sink, tables in registry.by("sink_rows_left", "sink", "table").items()
            if (rows := {table: int(n) for table, n in tables.items() if n > 0})
        },
        "sink_stalls": {
            sink: {"count": count, "total_s": stall_s[sink], "max_s": longest_s[sink]}
            for sink, count in stalls.items()
        },
        "legs": _legs(registry),
        "latency_us": {
            key: registry.merged(f"{key}_seconds").to_dict_us()
            for key in ("rest_to_read", "read_to_ring", "read_to_batch", "read_to_commit")
            if key != "rest_to_read" or registry.merged(f"{key}_seconds").count
        },
    }


def status_of(registry: Registry) -> Status:
    """Give how a feed stands; may be called from any thread."""
    latency = registry.merged("read_to_commit_seconds")
    if not registry.by("committed_rows", "sink"):  # no sink
        latency = registry.merged("read_to_ring_seconds")
    return Status(
        connected=int(registry.total("connections_open")),
        connections=int(registry.total("connections")),
        messages=int(registry.total("messages")),
        rows=int(registry.total("rows")),
        gaps=int(registry.total("gaps")),
        refused=int(registry.total("refused_subscriptions")),
        silent=int(registry.total("silent_streams")),
        stale=int(registry.total("stale_streams")),
        depth=registry.most("ring_depth"),
        p99_us=latency.percentile(99) / 1000 if latency.count else None,
        blocked={
            f"{table}/{consumer}": seconds
            for table, consumers in registry.by(
                "consumer_blocked_seconds", "table", "consumer"
            ).items()
            for consumer, seconds in consumers.items()
            if seconds
        },
        waiting={
            f"{table}/{consumer}": int(n_rows)
            for table, consumers in registry.by(
                "consumer_waiting_rows", "table", "consumer"
            ).items()
            for consumer, n_rows in consumers.items()
        },
        failing_sinks=tuple(
            sink for sink, fails in registry.by("sink_failing", "sink").items() if fails
        ),
    )


def _legs(registry: Registry) -> dict[str, Any]:
    """Give what each leg of redundant sources has brought, by source and leg."""
    found: dict[str, dict[str, Any]] = {}
    for what in ("first", "late", "lost", "refused"):
        for source, legs in registry.by(f"leg_{what}_messages", "source", "leg").items():
            for leg, n in legs.items():
                found.setdefault(source, {}).setdefault(leg, {})[what] = n
    for source, legs in found.items():
        for leg, figures in legs.items():
            lateness = registry.merged("leg_lateness_seconds", source=source, leg=leg)
            figures["lateness_us"] = lateness.to_dict_us()
    return found


def _figure(registry: Registry, metric: Metric) -> Any:
    if not metric.by:
        return registry.total(metric.name)
    figures = registry.by(metric.name, *metric.by)
    return {key: n for key, n in figures.items() if n} if metric.sparse else figures
