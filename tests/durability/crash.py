"""Kills a feed again and again: every row that a ring published is in every sink, once.

With `--at POINT` the process is killed where it comes to one of `tickwire.failpoints` (within a
commit, a rename, a rotation ...), for the Nth time, N at random; `--at all` goes through all.

`python -m tests.durability.crash --kills 100` runs `tickwire run` against the simulator in this
process, kills it at random moments, starts it again, and compares at the end what the sinks have
with the simulator's log: no seq is missing or doubled in any sink, no trade is there twice though
the simulator repeats the last 50 after each subscribe, and each that was made and not stored lies
in a gap of its stream.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from tests.storm.truth import MS, compare, made, read_gaps

from tickwire.capture import Recording
from tickwire.failpoints import IN_C, POINTS, VARIABLE, WITH_C
from tickwire.observe._build import PROFILE
from tickwire.sim import Simulator

SYMBOLS = ("BTC", "ETH", "SOL", "HYPE")
TABLES = ("trades", "gaps", "sessions")
START_S = 120.0  # a loaded machine
STOP_S = 60.0
MOST_PASSES = 3
NO_ROWS = "(SELECT 0 AS seq, '' AS symbol, '' AS trade_id LIMIT 0)"
# A point that is passed with each message: the process is killed after some time.
PASSES = {"publish": 3000, "value": 12, "block": 60, "spilled": 60}
# A feed jumps to a ring's front in floods alone: `tests.durability.jumps` does it by itself.
FEED_POINTS = (*POINTS, *(point for point in IN_C if not point.startswith("jump")))


@dataclass(slots=True)
class Outcome:
    """What a run came to; `problems` is empty where all is right."""

    kills: int = 0
    at_point: int = 0
    rows: int = 0
    missing: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        at_point = f" ({self.at_point} of them at their point)" if self.at_point else ""
        text = f"{self.kills} kills{at_point}, {self.rows:,} trades in each sink"
        text += f", {self.missing:,} in gaps"
        return "\n".join([text, *self.problems])


def config_of(
    folder: Path,
    url: str,
    ring_dir: Path | None,
    sinks: tuple[str, ...],
    loop: str = "uvloop",
    rotate_s: float = 5,
) -> Path:
    """Write a configuration."""
    paths = {
        "duckdb": folder / "m.duckdb",
        "parquet": folder / "data",
        "ipc": folder / "ipc",
        "raw": folder / "raw",
    }
    text = (
        f'[feed]\nloop = "{loop}"\nstate_dir = "{folder / "state"}"\nring_rows = 65536\n'
        + ("" if ring_dir is None else f'ring_dir = "{ring_dir}"\n')
        + f'[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\n'
        f'symbols = {list(SYMBOLS)!r}\nurl = "{url}"\n'.replace("'", '"')
    )
    for sink in sinks:
        text += f'[[sink]]\ntype = "{sink}"\npath = "{paths[sink]}"\n'
        text += f"rotate_s = {rotate_s}\n" if sink == "parquet" else ""
        text += "rotate_mb = 1\n" if sink in ("ipc", "raw") else ""
        text += "checkpoint_mb = 1\n" if sink == "duckdb" else ""
    path = folder / "feed.toml"
    path.write_text(text)
    return path


class Feed:
    """`tickwire run` as a process."""

    def __init__(self, config: Path) -> None:
        self._command = (sys.executable, "-m", "tickwire", "run", str(config))
        self._log = config.with_suffix(".log")
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, sim: Simulator, kill_at: str = "") -> None:
        """Start it, and wait until it is subscribed, or killed at a point."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, env={**os.environ, VARIABLE: kill_at}
            )
        until_s = time.monotonic() + START_S
        while sim.stats.subscriptions < len(SYMBOLS):
            if kill_at and self.process.returncode == -signal.SIGKILL:
                return
            if self.process.returncode is not None or time.monotonic() > until_s:
                raise RuntimeError(f"the feed did not start:\n{self.log}")
            await asyncio.sleep(0.01)

    async def end(self, number: signal.Signals, again_s: float | None = None) -> int:
        """Send a signal, perhaps a second one after some time, and wait for the end."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        if again_s is not None:
            await asyncio.sleep(again_s)
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), STOP_S)

    async def is_killed(self, seconds: float) -> bool:
        """Wait for its end; whether it was killed in that time."""
        assert self.process is not None
        try:
            return await asyncio.wait_for(self.process.wait(), seconds) == -signal.SIGKILL
        except TimeoutError:
            return False

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text()


async def crash(
    folder: Path,
    *,
    kills: int,
    rate: float,
    seed: int,
    sinks: tuple[str, ...] = ("duckdb", "parquet", "ipc"),
    ring_dir: Path | None = None,
    has_rings: bool = True,
    ending: signal.Signals = signal.SIGKILL,
    again: bool = False,
    rotate_s: float = 5,
    loop: str = "uvloop",
    longest_s: float = 2.0,
    at: str = "",
    quiet: bool = True,
) -> Outcome:
    """Kill a feed at random moments, and judge what its sinks have.

    Parameters
    ----------
    folder
        Where everything lies.
    kills
        How often.
    rate
        Of the market, messages a second.
    seed
        Of the moments.
    sinks
        Their types.
    ring_dir
        Where rings lie; by default in `folder`.
    has_rings
        Whether rings lie in files.
    ending
        The signal that ends the process.
    again
        Send it a second time while the process ends.
    rotate_s
        Of Parquet.
    loop
        The feed's event loop.
    longest_s
        The longest life of a process after it is subscribed.
    at
        The point at which the process is killed; where it does not come to it within `longest_s`,
        it is ended as otherwise.
    quiet
        No line for each kill.
    """
    chance, outcome = random.Random(seed), Outcome(kills)
    sim = Simulator("hyperliquid", rate=rate, symbols=SYMBOLS, log=folder / "log")
    async with sim:
        rings = (ring_dir or folder / "rings") if has_rings else None
        config = config_of(folder, sim.ws_url, rings, sinks, loop, rotate_s)
        feed = Feed(config)
        for i in range(kills):
            number = chance.randint(1, PASSES.get(at, MOST_PASSES))
            await feed.start(sim, f"{at}:{number}" if at else "")
            await asyncio.sleep(0 if at else chance.uniform(0, longest_s))
            outcome.at_point += at != "" and await feed.is_killed(longest_s)
            await feed.end(ending, chance.uniform(0, 0.2) if again else None)
            while sim.stats.subscriptions:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
            if not quiet:
                print(f"kill {i + 1} of {kills}", end="\r", flush=True)
        await feed.start(sim)
        await asyncio.sleep(1.0)
        stop_ns = time.time_ns()
        code = await feed.end(signal.SIGTERM)
    if code:
        outcome.problems.append(f"the last stop ended with {code}")
    if list((ring_dir or folder / "rings").glob("*/*")):
        outcome.problems.append("ring files are left after an orderly stop")
    if "raw" in sinks:
        _judge_recording(folder / "raw", outcome)
    tables = tuple(sink for sink in sinks if sink != "raw")
    _judge(folder, tables, outcome, stop_ns, may_jump=not has_rings)
    if outcome.problems:
        outcome.problems.append(feed.log[-4000:])
    return outcome


@contextmanager
def _opened(folder: Path, sink: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables of a sink as views `trades`, `gaps`, `sessions`."""
    if sink == "duckdb":
        with duckdb.connect(str(folder / "m.duckdb"), read_only=True) as connection:
            yield connection
        return
    with duckdb.connect() as connection:
        for table in TABLES:
            if sink == "parquet":
                files = [str(file) for file in (folder / "data").glob(f"{table}/**/*.parquet")]
                # No file: each life was too short for a row.
                rows = f"read_parquet({files!r})" if files else NO_ROWS
                connection.execute(f"CREATE VIEW {table} AS FROM {rows}")
            else:
                connection.register(table, _read_ipc(folder / "ipc" / table))
        yield connection


def _read_ipc(folder: Path) -> object:
    import pyarrow as pa

    batches = []
    for path in sorted(folder.glob("*.arrows")):
        # A kill leaves a torn tail; what was written before it is read.
        with suppress(pa.ArrowInvalid, OSError), pa.OSFile(str(path)) as file:
            for batch in pa.ipc.open_stream(file):
                batches.append(batch)  # noqa: PERF402 - those before the tail count
    return pa.Table.from_batches(batches).unify_dictionaries()


def _judge(
    folder: Path, sinks: tuple[str, ...], outcome: Outcome, stop_ns: int, *, may_jump: bool
) -> None:
    truth = made(folder / "log")
    for sink in sinks:
        rows: dict[tuple[str, str], list[str]] = {}
        with _opened(folder, sink) as connection:
            for table in TABLES:
                figures = "count(*), count(DISTINCT seq), min(seq), max(seq)"
                relation = connection.sql(f"FROM {table}").aggregate(figures)
                ((n, distinct, first, last),) = relation.fetchall()
                if n != distinct:
                    outcome.problems.append(f"{sink} {table}: {n - distinct} rows are doubled")
                if n and distinct != last - first + 1 and not may_jump:
                    outcome.problems.append(
                        f"{sink} {table}: {last - first + 1 - distinct} seqs are missing"
                    )
                if n and first != 0 and not may_jump:
                    outcome.problems.append(f"{sink} {table}: begins at seq {first}")
            for symbol, number in connection.execute(
                "SELECT symbol, trade_id FROM trades ORDER BY seq"
            ).fetchall():
                rows.setdefault(("trades", symbol), []).append(number)
        for stream, verdict in compare(
            truth,
            rows,
            _gaps(folder, stop_ns),
            from_ns=_first_ns(folder),
            to_ns=stop_ns - 200 * MS,
        ).items():
            if sink == sinks[0]:
                outcome.rows += verdict.rows
                outcome.missing += len(verdict.missing)
            if verdict.undeclared or verdict.invented or verdict.doubled:
                outcome.problems.append(f"{sink} {stream}: {verdict}")


def _judge_recording(folder: Path, outcome: Outcome) -> None:
    """Read all of it: each run up to its last whole block."""
    recording = Recording(folder)
    n_rows = sum(1 for _ in recording.rows())
    if not n_rows or n_rows != recording.n_rows:
        outcome.problems.append(f"raw: {n_rows} of {recording.n_rows} rows can be read")
    if len(recording.runs) > outcome.kills + 1:
        outcome.problems.append(f"raw: {len(recording.runs)} runs of {outcome.kills + 1}")


def _gaps(folder: Path, stop_ns: int) -> dict[tuple[str, str], list[tuple[int, int]]]:
    return read_gaps(folder / "m.duckdb", stop_ns)


def _first_ns(folder: Path) -> int:
    with duckdb.connect(str(folder / "m.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT min(epoch_ns(ts_recv)) FROM trades").fetchone()
    return 0 if found is None or found[0] is None else int(found[0])


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description="Kill a feed again and again.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ring-dir", type=Path)
    parser.add_argument("--rotate-s", type=float, default=60, help="Of Parquet.")
    parser.add_argument("--signal", default="KILL", help="KILL, TERM, HUP or INT.")
    parser.add_argument("--again", action="store_true", help="A second signal soon after.")
    parser.add_argument("--at", choices=[*FEED_POINTS, "all"], help="Kill it at a point.")
    given = parser.parse_args()
    has_c = PROFILE in WITH_C
    if given.at in IN_C and not has_c:
        parser.error(f"{given.at} is a point in C: TICKWIRE_BUILD=debug make build")
    every = FEED_POINTS if has_c else POINTS
    points = every if given.at == "all" else (given.at or "",)
    return max([_crash(given, point) for point in points])


def _crash(given: argparse.Namespace, point: str) -> int:
    with tempfile.TemporaryDirectory(prefix="tickwire-crash-") as folder:
        outcome = asyncio.run(
            crash(
                Path(folder),
                kills=given.kills,
                rate=given.rate,
                seed=given.seed,
                sinks=("duckdb", "parquet", "ipc", "raw"),
                ring_dir=given.ring_dir,
                ending=signal.Signals[f"SIG{given.signal}"],
                again=given.again,
                rotate_s=1 if point else given.rotate_s,
                longest_s=20.0 if point else 2.0,
                at=point,
                quiet=not sys.stdout.isatty(),
            )
        )
    print(f"at {point}: {outcome}" if point else outcome, flush=True)
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
