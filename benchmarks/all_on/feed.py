"""The feed of `benchmarks.all_on`, in a process of its own: all off, or all on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import uvloop

from tickwire import (
    AlertSettings,
    BooksSettings,
    DuckDBSink,
    FeedHandler,
    MetricsSettings,
    ParquetSink,
    Source,
)
from tickwire.observe import Histogram, Metrics
from tickwire.sinks import duckdb

NAME = "BTC-USDT"
VENUES = ("binance", "okx", "bybit-spot", "kraken")
CHANNELS = ["trades", "quotes", "book"]
RULES = ("ring_depth > 0.8 for 5s", "rate(messages) < 1 for 30s", "gaps_open > 0 for 1m")
WARM_S = 5.0
CALM_S = 1.0  # after a checkpoint: what waited for it has been committed
LOOK_S = 0.25
DUCKDB_MB = 1024  # with more, its log is checkpointed at 1 GB alone, and takes 1.5 GB of memory


class NotingSink(duckdb.DuckDBSink):
    """The sink of DuckDB; what is committed at a checkpoint is measured apart."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.calm, self.at_checkpoints = self.latency, Histogram()
        self.n_checkpoints = 0
        self._calm_s = 0.0

    def _checkpoint(self) -> None:
        super()._checkpoint()
        self.n_checkpoints += 1
        self._calm_s = time.monotonic() + CALM_S

    def _record_latency(self, tables: Iterable[str]) -> None:
        self.latency = self.at_checkpoints if time.monotonic() < self._calm_s else self.calm
        super()._record_latency(tables)


class NotingSettings(DuckDBSink):
    """The section of it."""

    def make_sink(self, feed: str, metrics: Metrics | None = None) -> NotingSink:
        """Make the sink, and keep it for the figures."""
        made.append(NotingSink(self, feed, metrics))
        return made[-1]


made: list[NotingSink] = []


def _feed(job: dict[str, Any]) -> FeedHandler:
    folder = Path(job["folder"])
    sources = [
        Source(
            venue=venue, channels=CHANNELS, symbols=[NAME], url=url, rest_url=rest_url,
            check_symbols=False,
        )
        for venue, (url, rest_url) in job["urls"].items()
    ]  # fmt: skip
    if not job["is_on"]:
        return FeedHandler(sources)
    return FeedHandler(
        sources,
        [
            NotingSettings(path=folder / "market.duckdb", memory_mb=DUCKDB_MB),
            ParquetSink(path=folder / "data"),
        ],
        books=BooksSettings(verify=True, nbbo=True, depth=20),
        metrics=MetricsSettings(listen="127.0.0.1:0"),
        alerts=[AlertSettings(name=rule, when=rule) for rule in RULES],
        state_dir=folder / "state",
        ring_dir=folder / "rings" if job["has_rings"] else None,
    )


def _size_mb(path: Path) -> float:
    """Give what a file, or a folder's files, take on disk."""
    n_bytes = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        with contextlib.suppress(FileNotFoundError):  # it may be gone by now
            n_bytes += file.stat().st_blocks * 512
    return n_bytes / 1e6


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


async def _take(feed: FeedHandler, table: str) -> None:
    async for batch in feed.batches(table, form="light"):
        del batch


def _rows(feed: FeedHandler) -> int:
    assert feed.pipeline is not None
    return sum(int(ring.published) for ring in feed.pipeline.rings.values())


async def _measure(job: dict[str, Any]) -> dict[str, Any]:
    async with _feed(job) as feed:
        print(feed.metrics_url or "-", flush=True)
        pipeline = feed.pipeline
        assert pipeline is not None
        tasks = [asyncio.create_task(_take(feed, table)) for table in ("trades", "quotes", "book")]
        await feed.ready()
        await asyncio.sleep(WARM_S)
        lag = pipeline.metrics.histogram("loop_lag_seconds")
        for histogram in (pipeline.read_to_batch, lag, *(sink.calm for sink in made)):
            histogram.reset()
        began = (time.monotonic(), time.process_time(), time.thread_time())
        n_messages, n_rows = pipeline.messages, _rows(feed)
        memory_mb: list[float] = []
        log_mb = 0.0
        while time.monotonic() < began[0] + job["seconds"]:
            await asyncio.sleep(LOOK_S)
            memory_mb.append(_memory_mb())
            log_mb = max(log_mb, _size_mb(Path(job["folder"], "market.duckdb.wal")))
        ended = (time.monotonic(), time.process_time(), time.thread_time())
        n_messages, n_rows = pipeline.messages - n_messages, _rows(feed) - n_rows
        found: dict[str, Any] = {
            "messages_s": n_messages / (ended[0] - began[0]),
            "rows_s": n_rows / (ended[0] - began[0]),
            "cpu_us": (ended[1] - began[1]) / n_messages * 1e6,
            "loop_us": (ended[2] - began[2]) / n_messages * 1e6,
            "batch_p50_ms": pipeline.read_to_batch.percentile(50) / 1e6,
            "batch_p99_ms": pipeline.read_to_batch.percentile(99) / 1e6,
            "loop_p99_ms": lag.percentile(99) / 1e6,
            "loop_max_ms": lag.max / 1e6,
            "rings_mb": _size_mb(Path(job["folder"], "rings")),
            "memory_early_mb": max(memory_mb[: len(memory_mb) // 2]),
            "memory_late_mb": max(memory_mb[len(memory_mb) // 2 :]),
        }
        for sink in made:
            found |= {
                "commit_p50_ms": sink.calm.percentile(50) / 1e6,
                "commit_p99_ms": sink.calm.percentile(99) / 1e6,
                "checkpoints": sink.n_checkpoints,
            }
            if sink.at_checkpoints.count:
                found["checkpoint_p99_ms"] = sink.at_checkpoints.percentile(99) / 1e6
    await asyncio.gather(*tasks)
    summary = feed.summary()
    books = [
        (venue, pipeline.sources[at].plan.settings.symbols[0]) for at, venue in enumerate(VENUES)
    ]
    found |= {"dropped_rows": summary["dropped_rows"], "books": books}
    found["gaps"] = summary["rows"]["gaps"]
    if job["is_on"]:
        found |= {
            "breaks": summary["book_breaks"],
            "oracle_checked": summary["book_oracle_checked"],
            "oracle_mismatches": summary["book_oracle_mismatches"],
            "log_mb": log_mb,
            "duckdb_mb": _size_mb(Path(job["folder"], "market.duckdb")),
            "parquet_mb": _size_mb(Path(job["folder"], "data")),
        }
    return found


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_measure(json.loads(sys.argv[1])))), flush=True)
