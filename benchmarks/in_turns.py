"""A feed measured with something and bare, in turns: neighbouring runs see the same machine.

Trades come at a fixed rate, by an open loop from a process of its own, to a feed in another one.
The gate is the median of the ratios of neighbouring runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tickwire.bench.open_loop import OpenLoopServer
from tickwire.bench.schedule import Stretch, TradeLoad
from tickwire.feed.pipeline import Pipeline

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InTurns:
    """A benchmark of a feed with something, against a bare one.

    Parameters
    ----------
    program
        Its module.
    life
        The feed's: its server, a folder of its own, how many messages to take, and whether it is
        not bare. It prints a line when it is ready, and gives its figures.
    beside
        Called while messages come, with the feed's process and its line.
    """

    program: str
    life: Callable[[str, Path, int, bool], Coroutine[Any, Any, Figures]]
    beside: Callable[[subprocess.Popen[str], str], None] | None = None

    def options(
        self, arguments: list[str] | None, *, doc: str | None, rate: float, seconds: float
    ) -> argparse.Namespace:
        """Read the command line; where it is a feed's own, be that feed, and exit."""
        parser = argparse.ArgumentParser(prog=f"python -m {self.program}", description=doc)
        parser.add_argument("--rate", type=float, default=rate)
        parser.add_argument("--seconds", type=float, default=seconds)
        parser.add_argument("--rounds", type=int, default=7)
        parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
        options = parser.parse_args(arguments)
        if options.child:
            url, folder, n_messages, way = options.child
            life = self.life(url, Path(folder), int(n_messages), way == "with")
            print(json.dumps(uvloop.run(life)), flush=True)
            sys.exit()
        return options

    def rounds(self, options: argparse.Namespace) -> Iterator[tuple[Figures, Figures]]:
        """Give the figures of a bare feed and of the other one, as often as was asked for."""
        for number in range(options.rounds):
            order = ("bare", "with") if number % 2 == 0 else ("with", "bare")
            found = {way: self._run(options, way) for way in order}
            yield found["bare"], found["with"]

    def _run(self, options: argparse.Namespace, way: str) -> Figures:
        n_messages = int(options.rate * options.seconds)
        with OpenLoopServer(TradeLoad()) as server, tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable, "-m", self.program,
                "--child", server.urls[0], folder, str(n_messages), way,
            ]  # fmt: skip
            with subprocess.Popen(  # noqa: S603 - our own program
                command, stdout=subprocess.PIPE, text=True
            ) as child:
                assert child.stdout is not None
                line = child.stdout.readline().strip()
                time.sleep(0.5)
                server.begin(Stretch(n_messages, options.rate))
                if self.beside is not None:
                    self.beside(child, line)
                found: Figures = json.loads(child.stdout.read())
            server.report()
        return found


async def costs(
    pipeline: Pipeline, n_messages: int, *clocks: Callable[[], int]
) -> tuple[float, ...]:
    """Wait for all messages; give each clock's ns per message, from a tenth to nine tenths."""
    marks = []
    for share in (0.1, 0.9, 1.0):
        while pipeline.messages < share * n_messages:  # noqa: ASYNC110 - counts have no event
            await asyncio.sleep(0.02)
        marks.append(([clock() for clock in clocks], pipeline.messages))
    (began, before), (ended, after), _ = marks
    return tuple((end - begin) / (after - before) for begin, end in zip(began, ended, strict=True))


def judge(ratios: Sequence[float], most: float, *, is_right: bool = True) -> None:
    """Print the verdict and exit: 1 where the gate is missed or what came was not right."""
    ratio = statistics.median(ratios)
    print(f"median of {len(ratios)} ratios: {ratio:.3f}, at most {most}")
    sys.exit(ratio > most or not is_right)
