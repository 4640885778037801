"""A storm of minutes, and a verdict: `make storm`, or `python -m tests.storm.run`.

Four simulated venues, each a process, fail at random moments while a feed with `memory_mb = 64`
writes DuckDB and Parquet. At the end every stream of every sink is compared with the logs of the
simulators. Gates: no row doubled, none invented, none missing that was sent on an open connection,
none missing outside of a gap of its stream; no gap longer than the truth by more than
`MOST_EXCESS_MS`; memory after the first minute at most `MOST_WIDTH_MB` wide; exit code 0.

With `--legs 2` each source has two connections of which one is struck at a time, by RST, freeze
and rotation: no row may be missing, and no gap may be there.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from benchmarks.verdicts import all_held
from tests.storm.exchanges import (
    READY_S,
    STOP_S,
    Exchange,
    Plan,
    running,
    start_feed,
    summary_of,
    write_config,
)
from tests.storm.judge import Judged, excess_line, faults_of, judge
from tests.storm.memory import Range, Sampler, range_of
from tests.storm.truth import MS, read_log, told_of_gap

from tickwire.sim import chaos

SOURCES = (
    ("hyperliquid", ("BTC", "ETH", "SOL", "HYPE"), ("trades", "quotes", "book")),
    ("binance", ("BTCUSDT", "ETHUSDT", "SOLUSDT"), ("trades", "quotes", "book:100ms")),
    ("okx", ("BTC-USDT", "ETH-USDT"), ("trades", "quotes", "book")),
    ("deribit", ("BTC-PERPETUAL", "ETH-PERPETUAL"), ("trades", "quotes", "book")),
)
MEMORY_MB = 64
FIRST_S = 20.0  # of a simulator; a feed begins to receive meanwhile
MOST_WIDTH_MB = 20.0
FIRST_MINUTE_S = 60.0
MOST_EXCESS_MS = 250.0  # of looks for silence, and of a busy machine
# Of two legs: the first faults when both are subscribed, and one when the last one is over.
LEGS_FIRST_S = 30.0
LEGS_EVERY_S = 12.0
LEG_FAULTS = ("reset=one@{:.1f}s", "freeze=one@{:.1f}s..{:.1f}s", "close:1001=one@{:.1f}s")
FREEZE_S = 6.0


def leg_faults(seed: int, seconds: float) -> tuple[str, ...]:
    """Give faults of one leg each, one after the other."""
    chance = random.Random(seed)
    found, at_s = [], LEGS_FIRST_S + chance.uniform(0, 3)
    while at_s < seconds:
        deck = chance.sample(LEG_FAULTS, len(LEG_FAULTS))
        for form in deck:
            found.append(form.format(at_s, at_s + FREEZE_S))
            at_s += LEGS_EVERY_S + chance.uniform(0, 3)
    return tuple(found)


def plans(given: argparse.Namespace) -> list[Plan]:
    """Say what each of the simulators does."""
    found = []
    for number, (venue, symbols, channels) in enumerate(SOURCES):
        seed = given.seed * 10 + number
        faults = (
            leg_faults(seed, given.seconds)
            if given.legs > 1
            else storm_faults(seed, venue, symbols, given)
        )
        found.append(Plan(venue, symbols, channels, given.rate / len(SOURCES), seed, faults))
    return found


def storm_faults(
    seed: int, venue: str, symbols: tuple[str, ...], given: argparse.Namespace
) -> tuple[str, ...]:
    """Give the faults of a venue: the first when the feed has begun, the last before its stop."""
    last_s = FIRST_S + given.seconds
    faults = chaos.storm(seed, venue, symbols, given.every, FIRST_S)
    return tuple(each.text for each in takewhile(lambda fault: fault.start_s < last_s, faults))


def wait_ready(exchanges: Iterable[Exchange], feed: subprocess.Popen[bytes], legs: int) -> None:
    """Wait until each simulator has sent something on as many connections as there are legs."""
    until_s = time.monotonic() + READY_S
    for exchange in exchanges:
        ready: set[int] = set()
        while len(ready) < legs:
            if feed.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"the feed did not start: {exchange.plan.venue} sent nothing")
            time.sleep(0.5)
            for line in read_log(exchange.log, ('"message"',)):
                ready.update(line["to"])
                if len(ready) >= legs:
                    break


def watch(feed: subprocess.Popen[bytes], seconds: float, sampler: Sampler) -> None:
    """Wait, with a line of progress now and then."""
    began_s = told_s = time.monotonic()
    every_s = 1.0 if sys.stdout.isatty() else 30.0
    while (past_s := time.monotonic() - began_s) < seconds and feed.poll() is None:
        time.sleep(0.2)
        if sampler.samples and time.monotonic() - told_s >= every_s:
            told_s = time.monotonic()
            end = "\r" if sys.stdout.isatty() else "\n"
            rss_mb = sampler.samples[-1].rss_mb
            print(f"{past_s:4.0f} of {seconds:.0f} s, {rss_mb:.0f} MB", end=end, flush=True)


def show(judged: list[Judged], *, is_long: bool) -> None:
    """Print a line for each stream and sink: all of them, or those that are wrong."""
    for each in judged:
        if is_long or each.is_wrong:
            table, symbol = each.stream
            mark = "WRONG" if each.is_wrong else "     "
            where = f"{each.venue} {table} {symbol} {each.sink}"
            print(f"{mark} {where:<44} {each.verdict}; {excess_line([each])[0]}")


def show_gaps(judged: list[Judged], folder: Path, began_ns: int, most_ms: float) -> None:
    """Print each gap that is too long, and what the feed has said of it."""
    for each in judged:
        for gap in each.gaps:
            if gap.excess_ns > most_ms * MS:
                table, symbol = each.stream
                told = told_of_gap(folder / each.sink, each.venue, each.stream, gap.start_ns)
                start_s, end_s = ((ns - began_ns) / 1e9 for ns in gap[:2])
                print(
                    f"LONG  {each.venue} {table} {symbol} {each.sink}: {start_s:.3f} to "
                    f"{end_s:.3f} s, {gap.excess_ns / MS:.0f} ms too long: {told}"
                )


def total(judged: list[Judged], sink: str) -> str:
    """Add up one sink."""
    mine = [each.verdict for each in judged if each.sink == sink]
    names = ("rows", "made")
    counts = [f"{name} {sum(getattr(each, name) for each in mine):,}" for name in names]
    lists = ("doubled", "invented", "missing", "sent_missing", "undeclared", "withheld")
    counts += [f"{name} {sum(len(getattr(each, name)) for each in mine):,}" for name in lists]
    return f"{sink}: {', '.join(counts)}"


def storm(given: argparse.Namespace, folder: Path) -> bool:
    """Run it and print what came of it; whether every gate is held."""
    options = {"backfill": False} | ({"redundancy": given.legs} if given.legs > 1 else {})
    with running(plans(given), folder) as exchanges:
        sources = [exchange.source(options) for exchange in exchanges]
        config = write_config(folder, {"name": "storm"}, sources, MEMORY_MB)
        feed = start_feed(config)
        began_ns = time.time_ns()
        try:
            wait_ready(exchanges, feed, given.legs)
            from_ns = time.time_ns() if given.legs > 1 else 0
            with Sampler(feed.pid) as sampler:
                watch(feed, given.seconds, sampler)
                samples = [*sampler.samples]
                stop_ns = time.time_ns()
                feed.send_signal(signal.SIGTERM)
                code = feed.wait(STOP_S)
        finally:
            feed.kill()
            feed.wait()
    print(f"stopped after {(time.time_ns() - stop_ns) / 1e9:.1f} s, exit code {code}", flush=True)
    judged = []
    for exchange in exchanges:
        struck = faults_of(exchange)
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(struck.items()))
        print(f"{exchange.plan.venue}: {struck.total()} faults: {kinds}", flush=True)
        judged += judge(exchange, folder, stop_ns, from_ns)
    show(judged, is_long=given.long)
    show_gaps(judged, folder, began_ns, -1.0 if given.legs > 1 else MOST_EXCESS_MS)
    memory = range_of(samples, FIRST_MINUTE_S)
    report(config, given, judged, memory)
    return verdicts(given, code, judged, memory)


def report(
    config: Path, given: argparse.Namespace, judged: list[Judged], memory: Range | None
) -> None:
    """Print the figures."""
    summary = summary_of(config)
    per_s = summary.get("messages", 0) / (summary.get("seconds") or 1)
    print(
        f"seed {given.seed}: {summary.get('messages', 0):,} messages, {per_s:,.0f}/s, "
        f"{summary.get('reconnects')} reconnects, {summary.get('gaps')} gaps, "
        f"{summary.get('dropped_rows')} rows dropped"
    )
    for sink in dict.fromkeys(each.sink for each in judged):
        print(total(judged, sink))
    print(excess_line(judged)[0])
    print(f"memory after {FIRST_MINUTE_S:.0f} s: {memory or 'too short a run'}")


def verdicts(
    given: argparse.Namespace, code: int, judged: list[Judged], memory: Range | None
) -> bool:
    """Print each gate; whether all are held."""
    n_wrong = sum(each.is_wrong for each in judged)
    _, most_ms = excess_line(judged)
    gates = [
        (code == 0, "exit code 0"),
        (n_wrong == 0, "no row doubled, invented, lost though sent, or missing outside of gaps"),
        (most_ms <= MOST_EXCESS_MS, f"no gap longer than the truth by {MOST_EXCESS_MS:g} ms"),
        (
            memory is None or memory.width <= MOST_WIDTH_MB,
            f"memory at most {MOST_WIDTH_MB:g} MB wide after the first minute",
        ),
    ]
    if given.legs > 1:
        n_missing = sum(len(each.verdict.missing) for each in judged)
        gates.append((n_missing == 0, "no row missing"))
        gates.append((not any(each.gaps for each in judged), "no gap"))
    print()
    return all_held(gates)


def main(arguments: list[str] | None = None) -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=20_000.0, help="messages/s together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=3.0, help="s between faults of a venue")
    parser.add_argument("--legs", type=int, default=1, help="connections of each source")
    parser.add_argument("--long", action="store_true", help="a line for every stream and sink")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new one; keep all files")
    given = parser.parse_args(arguments)
    if given.keep is not None:
        given.keep.mkdir(parents=True)
        return 0 if storm(given, given.keep.resolve()) else 1
    with tempfile.TemporaryDirectory(prefix="tickwire-storm-") as folder:
        return 0 if storm(given, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
