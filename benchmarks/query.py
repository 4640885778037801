"""SQL over a feed that runs, judged: `python -m benchmarks.query`.

A simulator sends trades and quotes at a fixed rate to `tickwire run` with a DuckDB sink. Runs take
turns: without queries, and with clients in processes of their own that ask 50 queries a second
together. Each answer says how many rows it has seen, up to which `seq`, and a sum of their hashes;
after the run it is held against the rows in the file. The gate: every answer is the rows up to its
`seq`, and the p99 from read to ring is less than doubled (median of the ratios of neighbouring
runs).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from tickwire.errors import TickwireError
from tickwire.serve.client import connect  # before the clock begins

MOST = 2.0
HASH = "hash(seq, symbol, price, size, side, trade_id, epoch_ns(ts_recv))"
QUESTION = f"SELECT count(*) AS n, max(seq) AS last, bit_xor({HASH}) AS sum FROM trades"  # noqa: S608
CONFIG = """
[feed]
name = "judged"
state_dir = ".tickwire"
[[source]]
venue = "hyperliquid"
channels = ["trades", "quotes"]
symbols = ["BTC", "ETH"]
url = "{url}"
[[sink]]
type = "duckdb"
path = "market.duckdb"
"""


def ask(config: str, per_second: float, until_s: float, answers: Any) -> None:
    """Ask again and again, on a schedule."""
    found, failed, took_s = [], [], []
    with connect(config) as connection:
        due_s = time.monotonic()
        while due_s < until_s:
            time.sleep(max(0.0, due_s - time.monotonic()))
            began_s = time.monotonic()
            try:
                [row] = connection.query(QUESTION).read_all().to_pylist()
                found.append((row["n"], row["last"], row["sum"]))
            except TickwireError as error:
                failed.append(str(error))
            took_s.append(time.monotonic() - began_s)
            # What cannot be asked in time is not made up.
            due_s = max(due_s + 1 / per_second, began_s)
    answers.put((found, failed, took_s))


def one_run(
    rate: int, seconds: float, per_second: float, n_clients: int
) -> tuple[float, list[str], str]:
    """Run a feed once; gives its p99 from read to ring, what was wrong, and what was asked."""
    program = [sys.executable, "-m", "tickwire"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulator = subprocess.Popen(  # noqa: S603 - our own program
            [*program, "sim", "--venue", "hyperliquid", "--symbols", "BTC,ETH",
             "--rate", str(rate), "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert simulator.stdout is not None
            url = simulator.stdout.readline().strip().removeprefix("ws=")
            config = folder / "feed.toml"
            config.write_text(CONFIG.format(url=url), encoding="utf-8")
            feed = subprocess.Popen(  # noqa: S603 - our own program
                [*program, "run", str(config), "--summary", str(folder / "summary.json")],
                stderr=subprocess.DEVNULL,
            )
            try:
                _wait_for(folder / ".tickwire" / "judged.query.sock")
                answers: multiprocessing.Queue[Any] = multiprocessing.Queue()
                until_s = time.monotonic() + seconds
                clients = [
                    multiprocessing.Process(
                        target=ask, args=(str(config), per_second / n_clients, until_s, answers)
                    )
                    for _ in range(n_clients if per_second else 0)
                ]
                for client in clients:
                    client.start()
                got = [answers.get(timeout=seconds + 60) for _ in clients]
                for client in clients:
                    client.join()
                time.sleep(max(0.0, until_s - time.monotonic()))
            finally:
                feed.send_signal(signal.SIGTERM)
                code = feed.wait(60)
        finally:
            simulator.terminate()
            simulator.wait()
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        found = [answer for each in got for answer in each[0]]
        wrong = [f"exit code {code}"] if code else []
        wrong += [text for each in got for text in each[1]]
        wrong += checked(folder / "market.duckdb", found)
        took_ms = sorted(1000 * s for each in got for s in each[2]) or [0.0]
        asked = (
            f"{summary['messages'] / summary['seconds']:,.0f} messages/s, "
            f"{len(found) / seconds:.1f} answers/s, a query in {statistics.median(took_ms):.0f} ms "
            f"(p99 {took_ms[int(0.99 * (len(took_ms) - 1))]:.0f})"
        )
        return summary["latency_us"]["read_to_ring"]["p99"], wrong, asked


def checked(path: Path, answers: list[tuple[int, int, int]]) -> list[str]:
    """Say which answers are not the rows up to their last one."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(
            f"SELECT seq, {HASH} AS sum FROM trades ORDER BY seq"  # noqa: S608 - no name from outside
        ).fetchnumpy()
    seqs, sums = found["seq"], np.bitwise_xor.accumulate(found["sum"])
    wrong = []
    for n_rows, last, total in answers:
        if not n_rows:
            continue
        at = int(np.searchsorted(seqs, last))
        if at >= len(seqs) or seqs[at] != last or n_rows != at + 1 or int(sums[at]) != total:
            wrong.append(f"{n_rows} rows up to seq {last} are not those of the file")
    return wrong


def _wait_for(path: Path) -> None:
    until_s = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > until_s:
            raise TimeoutError(path)
        time.sleep(0.05)


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="messages a second")
    parser.add_argument("--queries", type=float, default=50.0, help="a second, together")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios, n_wrong = [], 0
    for number in range(options.rounds):
        alone, wrong, _ = one_run(options.rate, options.seconds, 0.0, options.clients)
        asked, wrong_too, text = one_run(
            options.rate, options.seconds, options.queries, options.clients
        )
        ratios.append(asked / alone)
        for each in (wrong + wrong_too)[:5]:
            print(f"  wrong: {each}")
        n_wrong += len(wrong) + len(wrong_too)
        print(
            f"round {number}: read to ring p99 {alone:.1f} us alone, {asked:.1f} us asked "
            f"({ratios[-1]:.2f}); {text}",
            flush=True,
        )
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.2f} (at most {MOST}), {n_wrong} answers wrong or failed")
    sys.exit(n_wrong > 0 or ratio >= MOST)


if __name__ == "__main__":
    main()
