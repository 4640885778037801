"""A feed from nothing: a simulated exchange, the feed handler, DuckDB and Parquet.

The simulated Hyperliquid, in a process of its own, sends a market for some seconds and writes the
time of sending into every trade id. The feed handler takes it through its rings into both sinks. At
the end the rows in both are compared with what was sent, and every trade's way from sending to
commit has been timed.

    make demo        or        python examples/demo.py --seconds 10 --rate 12000
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import shutil
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tickwire
from tickwire.sim import DEFAULT_PORTS, DEFAULT_SYMBOLS, Simulator, Stats

ROOT = Path(__file__).resolve().parents[1]
VENUE = "hyperliquid"
SYMBOLS = DEFAULT_SYMBOLS[VENUE]
CHANNELS = ("trades", "quotes", "book", "candles:1m", "tickers", "mids")
TABLES = tuple(channel.partition(":")[0] for channel in CHANNELS)
# The middle prices of all symbols come in one subscription.
N_SUBSCRIPTIONS = len(SYMBOLS) * (len(CHANNELS) - 1) + 1
PERCENTILES = (50.0, 99.0, 99.9, 100.0)
STALLED_S = 20.0  # a slow machine may take its time, as long as something comes
POLL_S = 0.002
DISPLAY_S = 0.1

CONFIGURATION = """\
# Written by examples/demo.py.
[feed]
name = "demo"

[[source]]
venue = "hyperliquid"
channels = {channels}
symbols = {symbols}
url = "{url}"      # without this line it is the real Hyperliquid
proxy = "off"                     # whatever HTTP_PROXY says: it is on this machine

[[sink]]
type = "duckdb"
path = "market.duckdb"

[[sink]]
type = "parquet"
path = "data"
"""


@dataclass
class Timing:
    """What the demo notes while the feed runs.

    Parameters
    ----------
    sent_ns
        When each trade was sent, in order: its id.
    batch_ns
        Wall clock when each trade came out of the consumer.
    commits
        (wall clock in ns, trades in DuckDB by then).
    """

    sent_ns: list[np.ndarray[Any, np.dtype[np.int64]]] = field(default_factory=list)
    batch_ns: list[np.ndarray[Any, np.dtype[np.int64]]] = field(default_factory=list)
    commits: list[tuple[int, int]] = field(default_factory=list)


def simulate(pipe: Connection, rate: float, seconds: float) -> None:
    """Be the exchange, in a process of its own; says where it is, then what it sent."""

    async def serve() -> None:
        limit = int(rate * seconds)
        async with Simulator(
            VENUE, rate=rate, symbols=SYMBOLS, seed=1, stamp=True, limit=limit
        ) as simulator:
            simulator.pause()
            pipe.send(simulator.ws_url)
            # The clients ask for one stream after the other; the market opens when they have all.
            while simulator.stats.subscriptions < N_SUBSCRIPTIONS:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
            simulator.resume()
            opened_s = time.monotonic()
            await simulator.finished()
            pipe.send((simulator.stats, time.monotonic() - opened_s))
            await asyncio.to_thread(pipe.recv)

    uvloop.run(serve())


async def take_trades(feed: tickwire.FeedHandler, timing: Timing) -> None:
    """Consume trades as a strategy would: all that were published since the last look."""
    async for batch in feed.batches("trades"):
        now_ns = time.time_ns()
        sent_ns = np.array(batch.column("trade_id").to_pylist(), np.int64)
        timing.sent_ns.append(sent_ns)
        timing.batch_ns.append(np.full(len(sent_ns), now_ns))


async def watch(
    feed: tickwire.FeedHandler, pipe: Connection, timing: Timing, seconds: float, console: Console
) -> tuple[Stats, float] | None:
    """Follow the feed until all is committed; what was sent in how long, or None at a loss."""
    sent: tuple[Stats, float] | None = None
    began_s = moved_s = time.monotonic()
    shown_s, had = 0.0, (-1, -1)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    )
    with bar:
        task = bar.add_task("connecting", total=seconds)
        while time.monotonic() - moved_s < STALLED_S:
            await asyncio.sleep(POLL_S)
            summary = feed.summary()
            n_committed = summary["rows_committed"]["duckdb"].get("trades", 0)
            if not timing.commits or timing.commits[-1][1] != n_committed:
                timing.commits.append((time.time_ns(), n_committed))
            messages, committed = summary["messages"], summary["rows_committed"]["duckdb"]
            n_rows = sum(committed.get(table, 0) for table in TABLES)
            if had != (messages, n_rows):
                had, moved_s = (messages, n_rows), time.monotonic()
            elapsed_s = time.monotonic() - began_s
            if elapsed_s - shown_s >= DISPLAY_S or sent is not None:
                shown_s = elapsed_s
                text = f"{messages:>9,} messages {n_rows:>10,} rows in DuckDB"
                bar.update(task, description=text, completed=min(elapsed_s, seconds))
            if sent is None and pipe.poll():
                sent = pipe.recv()
            if sent is not None and all(
                committed.get(table, 0) >= sent[0].rows[table] for table in TABLES
            ):
                return sent
    return sent


def count_rows(folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Count the rows of each table in DuckDB and in the Parquet dataset."""
    in_duckdb: dict[str, int] = {}
    in_parquet: dict[str, int] = {}
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as database:
        for table in TABLES:
            query = f'SELECT count(*) FROM "{table}"'  # noqa: S608 - names from this file
            found = database.execute(query).fetchone()
            in_duckdb[table] = found[0] if found else 0
            files = (folder / "data" / table).rglob("*.parquet")
            in_parquet[table] = sum(pq.read_metadata(file).num_rows for file in files)
    return in_duckdb, in_parquet


def show_rows(
    console: Console, sent: Stats, in_duckdb: dict[str, int], in_parquet: dict[str, int]
) -> bool:
    """Print the rows per table; whether all arrived."""
    table = Table(title="Rows", title_justify="left")
    for name in ("table", "messages sent", "rows sent", "in DuckDB", "in Parquet", ""):
        table.add_column(name, justify="left" if name in ("table", "") else "right")
    all_arrived = True
    for name in TABLES:
        numbers = (sent.rows[name], in_duckdb[name], in_parquet[name])
        is_whole = numbers[0] == numbers[1] == numbers[2] > 0
        all_arrived &= is_whole
        mark = "[green]all there[/]" if is_whole else "[red]differs[/]"
        cells = [f"{number:,}" for number in (sent.by_channel[name], *numbers)]
        table.add_row(name, *cells, mark)
    console.print(table)
    return all_arrived


def show_latency(console: Console, summary: dict[str, Any], timing: Timing) -> None:
    """Print how long the ways took."""
    table = Table(title="Latency in ms", title_justify="left")
    for name in ("of", "from", "to", "p50", "p99", "p99.9", "max"):
        table.add_column(name, justify="left" if name in ("of", "from", "to") else "right")
    for key, rows, end in (
        ("read_to_ring", "all", "in the ring"),
        ("read_to_batch", "trades", "in a batch"),
        ("read_to_commit", "all", "in DuckDB"),
    ):
        found = summary["latency_us"][key]
        values_us = [found[name] for name in ("p50", "p99", "p999", "max")]
        cells = ["-" if us is None else f"{us / 1000:.3f}" for us in values_us]  # None: no value
        table.add_row(rows, "read", end, *cells)
    if timing.sent_ns:
        sent_ns = np.concatenate(timing.sent_ns)
        commit_ns, n_committed = (np.array(column) for column in zip(*timing.commits, strict=True))
        # Trade k is visible once k + 1 trades are; the clock is looked at every 2 ms.
        seen = np.searchsorted(n_committed, np.arange(1, len(sent_ns) + 1))
        is_seen = seen < len(commit_ns)
        ways = (
            ("in a batch", np.concatenate(timing.batch_ns) - sent_ns),
            ("in DuckDB", commit_ns[seen[is_seen]] - sent_ns[is_seen]),
        )
        for end, took_ns in ways:
            took_ms = np.percentile(took_ns, PERCENTILES) / 1e6
            table.add_row("trades", "sent", end, *(f"{ms:.3f}" for ms in took_ms))
    console.print(table)


async def run(folder: Path, rate: float, seconds: float, console: Console) -> int:
    """Run the demo in an empty folder; the exit code."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    exchange = context.Process(target=simulate, args=(theirs, rate, seconds), daemon=True)
    exchange.start()
    theirs.close()
    url = await asyncio.to_thread(pipe.recv)
    file = folder / "feeds.toml"
    # A list of plain names looks the same in Python and in TOML, but for the quotes.
    channels, symbols = (str(list(names)).replace("'", '"') for names in (CHANNELS, SYMBOLS))
    configuration = partial(CONFIGURATION.format, channels=channels, symbols=symbols)
    file.write_text(configuration(url=url))
    console.print(f"A simulated Hyperliquid at {url} sends {rate:,.0f} messages/s, {seconds:g} s.")
    timing = Timing()
    try:
        async with tickwire.FeedHandler.from_toml(file) as feed:
            consuming = asyncio.create_task(take_trades(feed, timing))
            outcome = await watch(feed, pipe, timing, seconds, console)
        await consuming
        summary = feed.summary()
        pipe.send("end")
    finally:
        await asyncio.to_thread(exchange.join, 5.0)
    # What is left behind is for the simulator that `tickwire sim` starts.
    file.write_text(configuration(url=f"ws://127.0.0.1:{DEFAULT_PORTS[VENUE]}"))
    if outcome is None:
        console.print(
            f"[red]The simulator sent nothing for {STALLED_S:g} s and had not finished.[/]"
        )
        return 1
    sent, took_s = outcome
    is_whole = show_rows(console, sent, *count_rows(folder))
    show_latency(console, summary, timing)
    n_messages = summary["messages"]
    cpu_us = summary["cpu_seconds"] / max(n_messages, 1) * 1e6
    console.print(
        f"{n_messages:,} messages, {n_messages / took_s:,.0f} a second, {cpu_us:.1f} us of CPU "
        f"each, sinks and this display included; peak memory "
        f"{summary['peak_rss_bytes'] / 2**20:,.0f} MiB."
    )
    place = shown(folder)
    console.print(f"DuckDB   {place / 'market.duckdb'}")
    console.print(f"Parquet  {place / 'data'}")
    program = shown(Path(sys.executable).with_name("tickwire"))
    console.print("The same in two terminals:")
    console.print(f"  {program} sim")
    console.print(f"  {program} run {place / file.name}")
    problems = [
        f"{key}: {summary[key]}"
        for key in ("decode_errors", "protocol_errors", "reconnects", "dropped_rows")
        if summary[key]
    ]
    if n_messages != sent.messages:
        problems.append(f"messages: {sent.messages:,} sent, {n_messages:,} received")
    if not is_whole:
        problems.append("rows are missing")
    for problem in problems:
        console.print(f"[red]{problem}[/]")
    return 1 if problems else 0


def shown(path: Path) -> Path:
    """Give a path as short as it can be written here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> int:
    """Read the command line and run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=12_000.0, help="messages per second")
    parser.add_argument("--folder", type=Path, default=ROOT / "demo", help="emptied first")
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console = Console(soft_wrap=True)
    return uvloop.run(run(folder, options.rate, options.seconds, console))


if __name__ == "__main__":
    sys.exit(main())
