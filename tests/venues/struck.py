"""Drops, repeats and swaps at every venue: `python -m tests.venues.struck [VENUE ...]`.

Prints for each venue what became of so many strikes (`-n`, 1,000) of messages of its books: over a
socket, by its simulator; and in its capture, where TICKWIRE_CAPTURES names their folder and there
is one with enough of them. Exits 1 where one is silent or a gap is false.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

import structlog
from tests.venues.capture_strikes import CAPTURES, strike_capture
from tests.venues.strike_scene import Outcome, scene
from tests.venues.strikes import CASES, KINDS

RATE = 3000.0  # messages a second of a simulator
HEADS = ("messages", *KINDS, "found", "harmless", "silent", "false", "s")


def line_of(venue: str, source: str, outcome: Outcome, seconds: float) -> str:
    """Give the line of a venue."""
    cells = [
        outcome.n_messages, *(outcome.struck[kind] for kind in KINDS), outcome.n_found,
        outcome.n_harmless, len(outcome.silent), len(outcome.false),
    ]  # fmt: skip
    return f"{venue:20}{source:9}" + "".join(f"{each:9,}" for each in cells) + f"{seconds:9.0f}"


def main(arguments: list[str] | None = None) -> None:
    """Strike, print the table, and exit."""
    parser = argparse.ArgumentParser(prog="python -m tests.venues.struck", description=__doc__)
    parser.add_argument("venue", nargs="*", help="all where none is named")
    parser.add_argument("-n", type=int, default=1000, help="strikes of each")
    parser.add_argument("--source", choices=("socket", "capture"), action="append")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(f"{'venue':20}{'by':9}" + "".join(f"{each:>9}" for each in HEADS), flush=True)
    has_captures = "TICKWIRE_CAPTURES" in os.environ
    n_wrong = 0
    for venue in options.venue or CASES:
        for source in options.source or ("capture", "socket"):
            if source == "capture" and not (has_captures and venue in CAPTURES):
                continue
            started = time.monotonic()
            try:
                if source == "capture":
                    outcome = strike_capture(venue, options.n)
                else:
                    outcome = asyncio.run(scene(CASES[venue], options.n, RATE))
            except (AssertionError, TimeoutError) as error:
                print(f"{venue:20}{source:9}{error!r:.300}", flush=True)
                n_wrong += 1
                continue
            print(line_of(venue, source, outcome, time.monotonic() - started), flush=True)
            for text in (outcome.silent + outcome.false)[:3]:
                print(f"    {text[:300]}", flush=True)
            n_wrong += len(outcome.silent) + len(outcome.false)
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
