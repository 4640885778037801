"""From the time a trade was due at the sender to its commit in DuckDB, open loop.

Rules of this file
------------------
- The sender keeps to its schedule whatever the receiver does. Each trade carries, as its id, the
  time in ns at which it was due, so that a stall anywhere, the sender's too, counts as latency.
- A trade is committed when the sink's write has returned: the transaction is in DuckDB and another
  connection can see it. The wall clock is read then, once per commit, on the same machine.
- Trades that were under way during a checkpoint are counted apart.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import uvloop

from tickwire import DuckDBSink as DuckDBSettings
from tickwire import FeedHandler, Source
from tickwire.bench.answer import decode
from tickwire.bench.cases import SYMBOL
from tickwire.bench.meter import Usage
from tickwire.feed import running
from tickwire.sim.load import LoadServer, LoadSpec
from tickwire.sinks import DuckDBSink

MIN_RATE = 10_000.0
MAX_P99_MS = 100.0
PATIENCE_S = 30.0

Ns = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class LatencySpec:
    """What to measure.

    Parameters
    ----------
    rate
        Messages per second, one trade each.
    seconds
        For how long.
    """

    rate: float
    seconds: float

    def load(self) -> LoadSpec:
        """Tell the load generator what to send."""
        n_messages = round(self.rate * self.seconds)
        return LoadSpec(n_messages=n_messages, rate=self.rate, stamp=True, coin=SYMBOL)


class TimedSink(DuckDBSink):
    """The DuckDB sink, noting when it commits what and when it checkpoints."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.commits: list[tuple[int, pa.Array]] = []
        self.write_ns: list[int] = []
        self.checkpoints: list[tuple[int, int]] = []

    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        began_ns = time.monotonic_ns()
        super()._write(batches)
        now_ns = time.time_ns()
        self.write_ns.append(time.monotonic_ns() - began_ns)
        if "trades" in batches:
            self.commits.append((now_ns, batches["trades"]["trade_id"]))

    def _checkpoint(self) -> None:
        began_ns = time.time_ns()
        super()._checkpoint()
        self.checkpoints.append((began_ns, time.time_ns()))

    def latencies(self) -> tuple[Ns, Ns]:
        """Give due times and commit times; shape (n,), int64, ns since the epoch, in order."""
        due = [ids.cast(pa.int64()).to_numpy() for _, ids in self.commits]
        done = [np.full(len(ids), now_ns) for now_ns, ids in self.commits]
        return np.concatenate(due), np.concatenate(done)

    def is_stalled(self, due_ns: Ns, done_ns: Ns) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Tell which trades were under way during a checkpoint; shape (n,)."""
        stalled = np.zeros(len(due_ns), np.bool_)
        for began_ns, ended_ns in self.checkpoints:
            stalled |= (due_ns < ended_ns) & (done_ns > began_ns)
        return stalled


def measure_latency(spec: LatencySpec) -> dict[str, Any]:
    """Measure in a process of its own against a sender in another; gives the entry for the results.

    Raises
    ------
    RuntimeError
        Where the worker fails.
    """
    with LoadServer(spec.load()) as server:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__, json.dumps({"url": server.url, **asdict(spec)})],
            capture_output=True,
            text=True,
            timeout=spec.seconds + 2 * PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the latency run failed:\n{done.stderr}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        sent = server.report()
    result["sender"] = {
        "latest_us": sent.latest_us,
        "messages_per_second": sent.messages_per_second,
    }
    p99_ms = result["latency_us"]["p99"] / 1e3
    rate = result["messages_per_second"]
    result["passed"] = result["checked"] and rate > MIN_RATE and p99_ms < MAX_P99_MS
    result["verdict"] = (
        f"{'reached' if result['passed'] else 'MISSED'}: {rate:,.0f} messages/s with p99 "
        f"{p99_ms:.1f} ms from due to DuckDB commit; it must be over {MIN_RATE:,.0f} with under "
        f"{MAX_P99_MS:g} ms, and nothing dropped (the sender itself was up to "
        f"{sent.latest_us / 1e3:.0f} ms late)"
        + "".join(f"; WRONG: {fault}" for fault in result["faults"])
    )
    return result


def percentiles_us(latency_ns: Ns) -> dict[str, float]:
    """Give p50, p99, p99.9 and the largest, in us."""
    if not len(latency_ns):
        return {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0, "count": 0}
    p50, p99, p999, most = np.percentile(latency_ns, (50, 99, 99.9, 100), method="higher") / 1e3
    return {
        "p50": float(p50),
        "p99": float(p99),
        "p999": float(p999),
        "max": float(most),
        "count": len(latency_ns),
    }


async def _run(url: str, spec: LatencySpec, path: Path) -> dict[str, Any]:
    """Run a feed with the timed sink until every trade is committed."""
    n_messages = spec.load().n_messages
    sinks: list[TimedSink] = []

    def make_timed_sink(*arguments: Any) -> TimedSink:
        sinks.append(TimedSink(*arguments))
        return sinks[-1]

    # The feed makes its sinks by this name.
    vars(running)["make_sink"] = make_timed_sink
    source = Source(venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=url)
    async with FeedHandler([source], [DuckDBSettings(path=path)]) as feed:
        (sink,) = sinks
        began, began_s = Usage.now(), time.monotonic()
        while sink.rows_committed["trades"] < n_messages and sink.failed is None:
            if time.monotonic() > began_s + spec.seconds + PATIENCE_S:
                break
            await asyncio.sleep(0.02)
        used = Usage.now() - began
    due_ns, done_ns = sink.latencies()
    stalled = sink.is_stalled(due_ns, done_ns)
    latency_ns = done_ns - due_ns
    summary = feed.summary()
    faults = _faults(path, spec, summary["dropped_rows"])
    return {
        "case": "trades/ws, sent to commit",
        "pipeline": "tickwire[protocol] + duckdb",
        "messages": n_messages,
        "messages_per_second": len(due_ns) * 1e9 / int(done_ns[-1] - due_ns[0]),
        "cpu_ns_per_message": (used.user_ns + used.system_ns) / n_messages,
        "rows": len(due_ns),
        "checked": not faults,
        "faults": faults,
        "offered_rate": spec.rate,
        "latency_us": percentiles_us(latency_ns[~stalled]),
        "stalled_latency_us": percentiles_us(latency_ns[stalled]),
        "checkpoint_ms": [(ended - began) / 1e6 for began, ended in sink.checkpoints],
        "commits": len(sink.commits),
        # How long the sink's writes took: what DuckDB and the disk have in the latency.
        "write_us": percentiles_us(np.array(sink.write_ns)),
        "feed_latency_us": summary["latency_us"],
    }


def _faults(path: Path, spec: LatencySpec, n_dropped: int) -> list[str]:
    """Compare the file with what was sent: every trade once, in order, with its values."""
    load = spec.load()
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "SELECT CAST(trade_id AS BIGINT) AS id, price, size FROM trades ORDER BY seq"
        ).fetchnumpy()
    faults = [f"{n_dropped} rows were dropped"] if n_dropped else []
    if len(rows["id"]) != load.n_messages:
        return [*faults, f"{len(rows['id'])} rows instead of {load.n_messages}"]
    places = np.arange(load.n_messages)
    wanted_ns = rows["id"][0] + places * 1e9 / spec.rate
    if np.abs(rows["id"] - wanted_ns).max() > 1000:  # floats of a wall clock in ns
        faults.append("ids are not the schedule's")
    if (np.diff(rows["id"]) <= 0).any():
        faults.append("ids are not in order")
    once = decode(load)["trades"]
    return faults + [
        f"{name} differs"
        for name in ("price", "size")
        if not np.array_equal(rows[name], np.array(once[name])[places % len(once[name])])
    ]


def main() -> int:
    """Measure once, as `measure_latency` asks."""
    order = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        spec = LatencySpec(order["rate"], order["seconds"])
        path = Path(folder) / "market.duckdb"
        print(json.dumps(uvloop.run(_run(order["url"], spec, path))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
