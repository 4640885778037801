"""The receiver that ends in DuckDB: a feed whose sink notes when each commit has returned.

Rules of this file
------------------
- A trade has arrived when its transaction is in DuckDB and another connection could see it: the
  clock is read when the sink's write has returned, once per commit.
- Checkpoints count apart: what was under way during one is a stall and not a commit's latency.
- Afterwards the file itself is read: every trade must be in it once, in order.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import uvloop

from tickwire import FeedHandler, Source
from tickwire.bench.arrivals import Arrivals, Notes, percentiles_us
from tickwire.bench.cases import SYMBOL
from tickwire.bench.receivers import Plan
from tickwire.errors import TickwireError
from tickwire.observe import Metrics
from tickwire.sinks import DuckDBSettings, DuckDBSink

LOOK_S = 0.02


class NotingSink(DuckDBSink):
    """The DuckDB sink, noting when it has committed how many rows, and when it checkpoints."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.notes = Notes()
        self.write_ns: list[int] = []
        self.checkpoints_ns: list[tuple[int, int]] = []
        self.n_noted = 0  # rows of trades; counted when their note is there

    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        began_ns = monotonic_ns()
        super()._write(batches)
        now_ns = monotonic_ns()
        self.write_ns.append(now_ns - began_ns)
        if "trades" in batches:
            n_rows = self.n_noted + batches["trades"].num_rows
            self.notes.add(now_ns, n_rows)
            self.n_noted = n_rows

    def _checkpoint(self) -> None:
        began_ns = monotonic_ns()
        super()._checkpoint()
        self.checkpoints_ns.append((began_ns, monotonic_ns()))


def receive_to_commit(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Note when each commit has returned; the file is a new one in the system's temporary folder.

    There are two stretches: the first warms up.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.duckdb"
        last = uvloop.run(_commit(plan, report, path))
        last.columns = _columns(path, plan.n_messages[0])
        report(last)


async def _commit(plan: Plan, report: Callable[[Arrivals], None], path: Path) -> Arrivals:
    sinks: list[NotingSink] = []

    class NotingSettings(DuckDBSettings):
        def make_sink(self, feed: str, metrics: Metrics | None = None) -> NotingSink:
            sinks.append(NotingSink(self, feed, metrics))
            return sinks[-1]

    source = Source(
        venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=plan.url, proxy="off"
    )
    n_warm, n_measured = plan.n_messages
    async with FeedHandler([source], [NotingSettings(path=path)]) as feed:
        (sink,) = sinks
        await _until(sink, n_warm)
        # The sink waits for rows now: nothing else touches what it notes.
        report(Arrivals(*sink.notes.take(), 0))
        sink.write_ns.clear()
        sink.checkpoints_ns.clear()
        await _until(sink, n_warm + n_measured)
        times_ns, counts = sink.notes.take()
        # What the stop does comes after the last commit.
        stalls_ns = list(sink.checkpoints_ns)
        write_ns = np.array(sink.write_ns, np.int64)
    summary = feed.summary()
    extra = {
        "commits": len(times_ns),
        # How long the sink's writes took: what DuckDB and the disk have in the latency.
        "write_us": percentiles_us(write_ns),
        "checkpoint_ms": [(ended - began) / 1e6 for began, ended in stalls_ns],
        "dropped_rows": summary["dropped_rows"],
        "feed_latency_us": summary["latency_us"],
    }
    return Arrivals(times_ns, counts, 0, None, extra, stalls_ns)


async def _until(sink: NotingSink, n_rows: int) -> None:
    while sink.n_noted < n_rows:
        if sink.error:
            raise TickwireError(f"sink {sink.name}: {sink.error}")
        await asyncio.sleep(LOOK_S)


def _columns(path: Path, n_warm: int) -> dict[str, np.ndarray[Any, Any]]:
    """Read what the file has, but for the warm-up."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET enable_progress_bar = false")
        found = connection.execute(
            "SELECT CAST(trade_id AS BIGINT) AS trade_id, price, size FROM trades "
            "ORDER BY seq OFFSET ?",
            [n_warm],
        ).fetchnumpy()
    return {name: np.asarray(column) for name, column in found.items()}
