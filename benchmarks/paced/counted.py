"""Instructions of a paced message, whole processes: `python -m benchmarks.paced.counted`.

Rules of this file
------------------
- The receiver runs under callgrind, at rates that leave it time for each message alone: every one
  is a read and a wake. On a machine that is too busy for that messages come in clumps, which counts
  them too low.
- As many messages are sent twice, the second time at twice the rate: what takes half as much then
  is what a process does by the clock, and is given apart, for a second.
- User space alone is counted; what the kernel does for a read is not.
"""

from __future__ import annotations

import argparse
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.callgrind import functions_of, totals_of, under_callgrind
from benchmarks.instructions import ROOT
from benchmarks.paced.plan import PIPELINES

from tickwire.bench.outcomes import StagePipeline
from tickwire.bench.processes import Receive
from tickwire.bench.receivers import Progress
from tickwire.bench.stages import Pace, measure_stages
from tickwire.errors import TickwireError

RATE, SECONDS, N_WARM = 50.0, 12.0, 500
# Each stretch has three marks: its last message has come, its report begins, its report has left.
# The first is the warm-up.
SLOW_PART, QUICK_PART = 4, 7


@dataclass(frozen=True, slots=True)
class Counted:
    """A receiver that runs under callgrind, in a process below its own.

    Parameters
    ----------
    receive
        The pipeline's own.
    path
        Where callgrind writes.
    """

    receive: Receive
    path: str

    def __call__(self, job: Any, report: Callable[[Any], None], /) -> None:
        """Receive, and hand on what is reported."""
        command = [
            *under_callgrind(Path(self.path)),
            sys.executable, "-m", "benchmarks.paced.counted", "--child",
        ]  # fmt: skip
        with subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            pickle.dump((self.receive, job), child.stdin)
            child.stdin.close()
            try:
                for _ in job.n_messages:
                    report(pickle.load(child.stdout))  # noqa: S301 - our own program
            finally:
                child.kill()  # what it has counted is written by then


def receive_here() -> None:
    """Receive what a parent says, marking its parts; what the child does."""
    receive, job = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own program

    # What it logs is no report.
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    cpu_ns = Progress.cpu_ns

    def marked(progress: Progress, *arguments: Any) -> int:
        os.ctermid()  # what is compared afterwards is no part of the stretch
        return cpu_ns(progress, *arguments)

    Progress.cpu_ns = marked  # type: ignore[assignment, method-assign] # in this process alone

    def report(result: Any) -> None:
        os.ctermid()
        pickle.dump(result, reports)
        reports.flush()
        os.ctermid()

    receive(job, report)


def count(pipeline: StagePipeline, rate: float, seconds: float, n_most: int) -> str:
    """Count a pipeline; gives what is printed of it.

    Raises
    ------
    TickwireError
        Where its answer is wrong, or messages are missing.
    """
    paces = [Pace(rate, seconds, 1), Pace(2 * rate, seconds / 2, 1)]
    n_messages = paces[0].n_messages
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        counted = StagePipeline(
            pipeline.name, pipeline.stage, Counted(pipeline.receive, str(counts)), pipeline.decodes
        )
        for result in measure_stages([counted], paces, tell=lambda _: None, n_warm=N_WARM):
            if result.faults:
                raise TickwireError(f"{pipeline.name}: {result.faults[0]}")
        slow, quick = Path(f"{counts}.{SLOW_PART}"), Path(f"{counts}.{QUICK_PART}")
        slow_n, quick_n = totals_of(slow)["Ir"], totals_of(quick)["Ir"]
        each = functions_of(quick)
        each.update(each.copy())
        each.subtract(functions_of(slow))
    lines = [
        f"{pipeline.name}: {(2 * quick_n - slow_n) / n_messages:,.0f} instructions per message, "
        f"{(slow_n - quick_n) / (seconds / 2):,.0f} a second"
    ]
    lines += [f"{n / n_messages:>12,.1f}  {name}" for name, n in each.most_common(n_most)]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Count what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paced.counted", description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="the lower one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at that rate")
    parser.add_argument("--pipeline", action="append", help="those whose names have this")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="show the N dearest")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        receive_here()
        return 0
    words = options.pipeline or [""]
    pipelines = [each for each in PIPELINES if any(word in each.name for word in words)]
    if not pipelines:
        parser.error("no pipeline has such a name")
    if not (options.rate > 0 and options.seconds > 0 and options.rate * options.seconds >= 1):
        parser.error("rate and seconds are of one message at least")
    if shutil.which("valgrind") is None:
        print("SKIPPED: there is no valgrind")
        return 0
    for pipeline in pipelines:
        print(count(pipeline, options.rate, options.seconds, options.functions), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
