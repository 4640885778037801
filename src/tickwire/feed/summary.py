"""What a run came to, in numbers: the JSON of `--summary`, and the line that moves."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickwire._version import __version__
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.sources import LiveSource
from tickwire.observe import Histogram
from tickwire.sinks import Sink

PROC_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Status:
    """How a feed stands at this moment.

    Parameters
    ----------
    connected, connections
        Sessions with an open connection, and all.
    messages, rows, gaps
        Counts since the start.
    depth
        The fullest ring, 0 to 1.
    p99_us
        From read to commit, or to the ring without a sink; None before the first row.
    """

    connected: int = 0
    connections: int = 0
    messages: int = 0
    rows: int = 0
    gaps: int = 0
    depth: float = 0.0
    p99_us: float | None = None


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
    with contextlib.suppress(OSError):
        for line in PROC_STATUS.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def summarise(
    name: str,
    pipeline: Pipeline,
    sources: Sequence[LiveSource],
    sinks: Sequence[Sink],
    usage: Usage,
) -> dict[str, Any]:
    """Give the summary of a run.

    Parameters
    ----------
    name
        The feed's.
    pipeline
        Its rings and decoders.
    sources
        Its live sources; none in a replay.
    sinks
        Its sinks.
    usage
        Started with it.
    """
    decoders = [source.decoder for source in pipeline.sources]
    sessions = [session for source in sources for session in source.sessions]
    errors: Counter[str] = Counter()
    for decoder in decoders:
        errors.update(decoder.errors)
    return {
        "version": __version__,
        "feed": name,
        **usage.to_dict(),
        "messages": pipeline.messages,
        "bytes": sum(decoder.bytes for decoder in decoders),
        "rows": {table: ring.published for table, ring in pipeline.rings.items()},
        "rows_committed": {sink.name: dict(sink.rows_committed) for sink in sinks},
        "unknown_messages": sum(decoder.unknown_messages for decoder in decoders),
        "unrequested_messages": sum(decoder.unrequested_messages for decoder in decoders),
        "decode_errors": dict(errors),
        "quarantine_cut": sum(decoder.quarantine_cut for decoder in decoders),
        "quarantine_unkept": sum(decoder.quarantine_unkept for decoder in decoders),
        "held_dropped": sum(decoder.held_dropped for decoder in decoders),
        "refused_subscriptions": sum(len(source.refusals) for source in sources),
        "protocol_errors": sum(session.n_protocol_errors for session in sessions),
        "pings": sum(session.n_pings for session in sessions),
        "warnings": sum(session.n_warnings for session in sessions),
        "warnings_untold": sum(session.n_warnings_untold for session in sessions),
        "connects": sum(session.n_connects for session in sessions),
        "failed_connects": sum(session.n_failed_connects for session in sessions),
        "reconnects": sum(max(0, session.n_connects - 1) for session in sessions),
        "gaps": pipeline.ledger.n_gaps,
        "unwritten_gaps_and_sessions": pipeline.ledger.n_unwritten,
        "dropped_rows": sum(ring.dropped_rows for ring in pipeline.rings.values()),
        "sink_stalls": {
            sink.name: {
                "count": sink.stalls.count,
                "total_s": sink.stalls.total_s,
                "max_s": sink.stalls.max_s,
            }
            for sink in sinks
        },
        "latency_us": {
            "read_to_ring": pipeline.read_to_ring.to_dict_us(),
            "read_to_batch": pipeline.read_to_batch.to_dict_us(),
            "read_to_commit": _merged(sinks).to_dict_us(),
        },
    }


def status_of(pipeline: Pipeline, sources: Sequence[LiveSource], sinks: Sequence[Sink]) -> Status:
    """Give how a feed stands; may be called from any thread."""
    sessions = [session for source in sources for session in source.sessions]
    latency = _merged(sinks) if sinks else pipeline.read_to_ring
    return Status(
        connected=sum(session.connection is not None for session in sessions),
        connections=len(sessions),
        messages=pipeline.messages,
        rows=sum(ring.published for ring in pipeline.rings.values()),
        gaps=pipeline.ledger.n_gaps,
        depth=pipeline.depth(),
        p99_us=latency.percentile(99) / 1000 if latency.count else None,
    )


def _merged(sinks: Sequence[Sink]) -> Histogram:
    every = Histogram()
    for sink in sinks:
        every.merge(sink.latency)
    return every
