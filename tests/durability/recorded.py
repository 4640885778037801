"""A storm that is recorded raw, judged: `python -m tests.durability.recorded`.

First a feed takes a storm of `--seconds` (disconnects, silences, refusals: `tickwire sim --chaos`)
into DuckDB and a recording, is stopped, and `tickwire verify` compares the rows of the recording
with those of the run, hash for hash. Then a feed that records is killed `--kills` times at random
moments. Each time the recording gives all rows up to its last whole block, which pyarrow alone
finds as well, and its messages are the same bytes after they were converted to a capture and back.
No file of it has the secret that is in a header of the source.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import structlog
from tests.durability.crash import Feed

from tickwire.capture import Recording
from tickwire.capture.convert import convert
from tickwire.sim import Simulator

SYMBOLS = ("BTC", "ETH")
CHANNELS = ("trades", "quotes", "book")
TABLES = ("trades", "quotes", "book")
SECRET = "q7x-secret-of-a-header"  # noqa: S105 - made up
CONFIG = """
[feed]
state_dir = "{folder}/state"
[[source]]
venue = "hyperliquid"
channels = ["trades", "quotes", "book"]
symbols = ["BTC", "ETH"]
url = "{url}"
headers = {{ "X-Api-Key" = "{secret}" }}
[[sink]]
type = "raw"
path = "{folder}/raw"
rotate_mb = 1
"""
DUCKDB = """
[[sink]]
type = "duckdb"
path = "{folder}/m.duckdb"
"""


@dataclass(slots=True)
class Outcome:
    """What a run came to; `problems` is empty where all is right."""

    rows: str = ""
    n_cuts: int = 0
    n_torn: int = 0
    n_messages: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.rows}\n{self.n_cuts} recordings were cut, {self.n_torn} of them in a block; "
        text += f"{self.n_messages:,} messages are the same after they were converted twice"
        return "\n".join([text, *self.problems])


def config_of(folder: Path, url: str, *, has_tables: bool) -> Path:
    """Write a configuration."""
    folder.mkdir(parents=True)
    path = folder / "feed.toml"
    text = CONFIG + (DUCKDB if has_tables else "")
    path.write_text(text.format(folder=folder, url=url, secret=SECRET))
    return path


async def judge_storm(folder: Path, outcome: Outcome, *, seconds: float, seed: int) -> None:
    """Compare the rows of a storm with those of its recording."""
    sim = Simulator(
        "hyperliquid", rate=500, symbols=SYMBOLS, channels=CHANNELS, chaos=seed, chaos_every_s=2.0
    )
    async with sim:
        feed = Feed(config_of(folder, sim.ws_url, has_tables=True))
        await feed.start(sim)
        await asyncio.sleep(seconds)
        await feed.end(signal.SIGTERM)
    command = [sys.executable, "-m", "tickwire", "verify", f"{folder}/raw", f"{folder}/m.duckdb"]
    for table in TABLES:
        command += ["--table", table]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    outcome.rows = f"{sim.stats.faults.total()} faults; " + "; ".join(done.stdout.splitlines())
    if done.returncode:
        outcome.problems.append(done.stderr[-2000:])
    _judge_secrets(folder / "raw", outcome)


async def judge_cuts(folder: Path, outcome: Outcome, *, kills: int, rate: float, seed: int) -> None:
    """Kill a feed that records, at random moments, and read what it has left."""
    chance = random.Random(seed)
    sim = Simulator("hyperliquid", rate=rate, symbols=SYMBOLS, channels=CHANNELS)
    async with sim:
        for i in range(kills):
            part = folder / f"{i:03}"
            feed = Feed(config_of(part, sim.ws_url, has_tables=False))
            await feed.start(sim)
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            await feed.end(signal.SIGKILL)
            while sim.stats.subscriptions:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
            await asyncio.to_thread(_judge_cut, part, outcome)


def _judge_cut(folder: Path, outcome: Outcome) -> None:
    raw = folder / "raw"
    recording = Recording(raw)
    n_rows = sum(1 for _ in recording.rows())
    found = [_by_pyarrow(path) for path in sorted(raw.iterdir())]
    outcome.n_cuts += 1
    outcome.n_torn += any(is_torn for _, is_torn in found)
    if n_rows != sum(n for n, _ in found):
        n_whole = sum(n for n, _ in found)
        outcome.problems.append(f"{folder.name}: {n_rows} rows are read of {n_whole}")
    convert(raw, folder / "there.jsonl.zst")
    convert(folder / "there.jsonl.zst", folder / "back")
    before, after = _messages(recording), _messages(Recording(folder / "back"))
    for message in before:
        outcome.n_messages += 1
        if message != next(after, None):
            outcome.problems.append(f"{folder.name}: message {outcome.n_messages} is another one")
            break
    if next(after, None) is not None:
        outcome.problems.append(f"{folder.name}: a message more than were recorded")
    _judge_secrets(folder, outcome, but="feed.toml")


def _messages(recording: Recording) -> Iterator[tuple[int, int, bytes]]:
    for _, row in recording.rows():
        if row.kind == "message":
            yield row.recv_ns, row.conn, row.payload


def _by_pyarrow(path: Path) -> tuple[int, bool]:
    """Give the rows of a file up to where it is torn, and whether it is."""
    n_rows = 0
    with suppress(pa.ArrowInvalid, OSError), pa.memory_map(str(path)) as file:
        for batch in pa.ipc.open_stream(file):
            n_rows += batch.num_rows
        return n_rows, False
    return n_rows, True


def _judge_secrets(folder: Path, outcome: Outcome, but: str = "") -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != but and SECRET.encode() in _bytes_of(path):
            outcome.problems.append(f"{path} has a secret")


def _bytes_of(path: Path) -> bytes:
    """Give what a file holds, and where it is a recording, what is compressed in it."""
    found = path.read_bytes()
    if path.name.endswith(".arrows"):
        rows = (row for _, row in Recording(path).rows())
        found += b"\n".join(row.payload + row.endpoint.encode() for row in rows)
    return found


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.durability.recorded", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=60, help="Of the storm.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=float, default=5000, help="Messages/s while it is killed.")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="tickwire-recorded-") as name:
        folder = Path(name)
        asyncio.run(judge_storm(folder / "storm", outcome, seconds=given.seconds, seed=given.seed))
        asyncio.run(
            judge_cuts(folder, outcome, kills=given.kills, rate=given.rate, seed=given.seed)
        )
    print(outcome)
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    # That each is torn is known.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sys.exit(main())
