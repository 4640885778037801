"""Instructions and system calls of a paced message: `python -m benchmarks.paced.counted`.

Rules of this file
------------------
- The receiver runs under callgrind, or strace, and its sender waits for it: every message is a read
  and a wake, however busy the machine is.
- As many messages are sent twice, the first time with pauses. What the longer stretch takes more is
  what a process does by the clock, and is given apart, for a second. At a rate both count.
- User space alone is counted in instructions; what Linux does for a system call is not.
- What gathers messages gathers none where the sender waits, so `coalesce_us` and `linger_ms` are
  left out.
- A look that falls into one stretch and not into the other is counted wrong: a stretch is long
  enough where some of them in a thousand messages do not matter.
- Answers are checked as in the benchmark itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pickle
import re
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.callgrind import begin_counting, functions_of, under_callgrind
from benchmarks.instructions import ROOT
from benchmarks.paced.gates import GATED_RATES, GATES
from benchmarks.paced.lockstep import LockstepServer
from benchmarks.paced.plan import COALESCED, LINGER, LINGER_LIGHT, PIPELINES

from tickwire.bench.arrivals import Notes
from tickwire.bench.outcomes import StagePipeline
from tickwire.bench.receivers import Plan
from tickwire.bench.reference import ReferenceTrades
from tickwire.bench.schedule import TradeLoad
from tickwire.bench.stretches import StretchesJob, receive_stretches
from tickwire.errors import TickwireError

N_MESSAGES, N_WARM, PAUSE_MS = 1_000, 400, 15.0
N_DIFFERENT = 1_000
LEFT_OUT = (LINGER, LINGER_LIGHT, COALESCED)
START_S = 300.0  # a start under callgrind, on a busy machine
# Each stretch has three marks: its last message has come, its report begins, its report has left.
# The first two are warm-ups: behind the first one garbage is collected.
SLOW_PART, QUICK_PART = 7, 10
MARK = "sched_get_priority_max"  # a system call that nothing else makes
CALL = re.compile(r"^\d+ +(\w+)\(")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a pipeline's messages cost.

    Parameters
    ----------
    pipeline
        Which.
    per_message, per_second
        By function or system call: what a message takes, and what the clock does.
    """

    pipeline: StagePipeline
    per_message: dict[str, float]
    per_second: dict[str, float]

    def at(self, rate: float) -> float:
        """Give what a message costs at a rate, with its share of what the clock does."""
        return sum(self.per_message.values()) + sum(self.per_second.values()) / rate


@dataclass(frozen=True, slots=True)
class Counting:
    """What counts: callgrind or strace.

    Parameters
    ----------
    unit
        What is counted.
    command
        The words before the receiver's own; `at` is where it writes.
    parts
        Reads what it has written: of the slow stretch and of the quick one, counts by name.
    begin
        Called with the receiver's process before the warm-up.
    """

    unit: str
    command: Callable[[Path], list[str]]
    parts: Callable[[Path], tuple[Counter[str], Counter[str]]]
    begin: Callable[[int], None]


def callgrind_parts(at: Path) -> tuple[Counter[str], Counter[str]]:
    """Give the instructions of each function."""
    return functions_of(Path(f"{at}.{SLOW_PART}")), functions_of(Path(f"{at}.{QUICK_PART}"))


def strace_parts(at: Path) -> tuple[Counter[str], Counter[str]]:
    """Give the calls of each kind, between the marks around a stretch."""
    parts = [Counter[str]()]
    for line in at.read_text(errors="replace").splitlines():
        match = CALL.match(line)
        if match is None:  # the end of a call that began before another thread's
            continue
        if match[1] == MARK:
            parts.append(Counter())
        else:
            parts[-1][match[1]] += 1
    return parts[SLOW_PART - 1], parts[QUICK_PART - 1]


INSTRUCTIONS = Counting(
    "instructions",
    lambda at: under_callgrind(at, "--instr-atstart=no"),
    callgrind_parts,
    begin_counting,
)
SYSTEM_CALLS = Counting(
    "system calls",
    # -D: the receiver keeps the number of the process that is started.
    lambda at: ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", str(at)],
    strace_parts,
    lambda _pid: None,
)


def mark() -> None:
    """Begin another part, for either."""
    os.ctermid()
    os.sched_get_priority_max(os.SCHED_OTHER)


def receive_here(loop: str) -> None:
    """Receive what a parent says, marking its parts; what the child does."""
    receive, plan = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own program
    if loop == "asyncio":
        uvloop.run = asyncio.run  # type: ignore[assignment] # as the receivers call it

    # What it logs is no report.
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    take = Notes.take

    def marked(notes: Notes) -> Any:
        mark()  # what is made of the notes and compared afterwards is no part of the stretch
        return take(notes)

    Notes.take = marked  # type: ignore[assignment, method-assign] # in this process alone

    def report(result: Any) -> None:
        mark()
        pickle.dump(result, reports)
        reports.flush()
        mark()

    receive_stretches(StretchesJob(receive, plan), report)
    select.poll().poll()  # its parent ends it; until then it sleeps as the sender expects


def count(
    pipeline: StagePipeline, counting: Counting, loop: str, n_messages: int, pause_s: float
) -> Cost:
    """Count a pipeline.

    Raises
    ------
    TickwireError
        Where its answer is wrong, or messages are missing.
    """
    load = TradeLoad(N_DIFFERENT, 1)
    tape = load.record()
    answer = ReferenceTrades(tape)
    n_each = (N_WARM, N_WARM // 4, n_messages, n_messages)
    seconds = []
    with tempfile.TemporaryDirectory() as folder, LockstepServer(load) as server:
        at = Path(folder) / "counts"
        command = [
            *counting.command(at),
            sys.executable, "-m", "benchmarks.paced.counted", "--child", "--loop", loop,
        ]  # fmt: skip
        with subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            plan = Plan(server.url, n_each, int(tape.ends[0]))
            try:
                pickle.dump((pipeline.receive, plan), child.stdin)
                child.stdin.close()
                server.accept(START_S)
                counting.begin(child.pid)
                for n_sent, pause in zip(n_each, (0.0, 0.0, pause_s, 0.0), strict=True):
                    sent = server.send(n_sent, child.pid, pause)
                    arrivals = pickle.load(child.stdout)  # noqa: S301 - our own program
                    faults = answer.faults(arrivals.columns, sent) if pipeline.decodes else []
                    read = arrivals.extra
                    if "price_sum" in read:
                        faults += answer.sum_faults(read["n_priced"], read["price_sum"], n_sent)
                    if faults:
                        raise TickwireError(f"{pipeline.name}: {faults[0]}")
                    seconds.append(sent.seconds)
            finally:
                child.kill()  # what it has counted is written by then
        slow, quick = counting.parts(at)
    return cost_of(pipeline, slow, quick, seconds[2:], n_messages)


def cost_of(
    pipeline: StagePipeline,
    slow: Counter[str],
    quick: Counter[str],
    seconds: Sequence[float],
    n_messages: int,
) -> Cost:
    """Tell what messages cost from what the clock does: two stretches, of different length.

    Parameters
    ----------
    pipeline
        Whose they are.
    slow, quick
        Counts by name.
    seconds
        Of the slow stretch, and of the quick one.
    n_messages
        Of each.
    """
    slow_s, quick_s = seconds
    per_second = {name: (slow[name] - quick[name]) / (slow_s - quick_s) for name in slow | quick}
    per_message = {
        name: (quick[name] - by_clock * quick_s) / n_messages
        for name, by_clock in per_second.items()
    }
    return Cost(pipeline, per_message, per_second)


def told(cost: Cost, unit: str, n_most: int) -> str:
    """Give what is printed of a pipeline, and the dearest of what it does."""
    most = Counter(cost.per_message).most_common(n_most)
    by_clock = sum(cost.per_second.values())
    lines = [
        f"{cost.pipeline.name}: {sum(cost.per_message.values()):,.1f} {unit} per message, "
        f"{by_clock:,.0f} a second",
        *(f"{n:>12,.2f}  {name}" for name, n in most if n),
    ]
    return "\n".join(lines)


def judge(costs: Sequence[Cost], unit: str) -> list[str]:
    """Give the paced gates by what was counted, as lines of a table; nothing where none was."""
    found = {cost.pipeline.name: cost for cost in costs}
    lines = []
    for gate in GATES:
        if gate.own.name not in found or gate.theirs.name not in found:
            continue
        own, theirs = found[gate.own.name], found[gate.theirs.name]
        cells = [f"{own.at(rate):,.1f} / {theirs.at(rate):,.1f}" for rate in GATED_RATES]
        ratios = [f"{own.at(rate) / theirs.at(rate):.2f}" for rate in GATED_RATES]
        lines.append(
            f"| {gate.own.name} against {gate.theirs.name} | {' | '.join(cells)} | "
            f"{' | '.join(ratios)} | {gate.at_most:g} |"
        )
    if not lines:
        return []
    rates = [f"{rate:,.0f}/s" for rate in GATED_RATES]
    heads = [f"{unit} at {rate}" for rate in rates] + [f"ratio at {rate}" for rate in rates]
    return [f"| what | {' | '.join(heads)} | goal for CPU |", "|---" * 6 + "|", *lines]


def main(arguments: list[str] | None = None) -> int:
    """Count what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paced.counted", description=__doc__)
    parser.add_argument("--messages", type=int, default=N_MESSAGES, help="of a stretch")
    parser.add_argument("--pause-ms", type=float, default=PAUSE_MS, help="of the slow stretch")
    parser.add_argument("--pipeline", action="append", help="those whose names have this")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="show the N dearest")
    parser.add_argument("--calls", action="store_true", help="count system calls, by strace")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        receive_here(options.loop)
        return 0
    words = options.pipeline or [""]
    pipelines = [
        each for each in PIPELINES
        if each not in LEFT_OUT and any(word in each.name for word in words)
    ]  # fmt: skip
    if not pipelines:
        parser.error("no pipeline has such a name")
    if options.messages < 1 or not 1.0 <= options.pause_ms <= 1000.0:
        parser.error("one message at least, and pauses of 1 to 1,000 ms")
    counting = SYSTEM_CALLS if options.calls else INSTRUCTIONS
    tool = counting.command(Path())[0]
    if shutil.which(tool) is None:
        print(f"SKIPPED: there is no {tool}")
        return 0
    costs = []
    for pipeline in pipelines:
        cost = count(pipeline, counting, options.loop, options.messages, options.pause_ms / 1e3)
        print(told(cost, counting.unit, options.functions), flush=True)
        costs.append(cost)
    for line in judge(costs, counting.unit):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
