"""Two trees that are built, in turns: `python -m benchmarks.pairs TREE`.

Rules of this file
------------------
- Runs take turns, and every pair is begun by the other tree: neighbours see the same machine. What
  is judged is the median of the pairs' ratios of CPU time per message.
- Each tree runs its own `python -m benchmarks.pipelines`, which checks its answer. A wrong one, or
  one that was not checked, ends everything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.captures.cases import CASES
from benchmarks.pipelines.worker import PIPELINES

from tickwire.bench import machine

HERE = Path(__file__).resolve().parent.parent
FIGURE = "cpu_ns_per_message"


@dataclass(slots=True)
class Pairs:
    """What two trees took, run by run: ns of CPU per message."""

    here: list[float] = field(default_factory=list)
    there: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Of each pair, what is taken here by what is taken there."""
        return [mine / other for mine, other in zip(self.here, self.there, strict=True)]

    def __str__(self) -> str:
        ratios = self.ratios
        return (
            f"{statistics.median(ratios):.3f} [{min(ratios):.2f}..{max(ratios):.2f}], "
            f"{statistics.median(self.here):.0f} ns against {statistics.median(self.there):.0f}"
        )


def measured(tree: Path, case: str, pipeline: str) -> float:
    """Run a tree's own benchmark once; ns of CPU per message.

    Raises
    ------
    SystemExit
        If it fails, or its answer is not right.
    """
    results = tree / "benchmarks" / "results"
    command = [
        os.fspath(tree / ".venv" / "bin" / "python"), "-m", "benchmarks.pipelines",
        "--case", case, "--pipeline", pipeline, "--runs", "1", "--no-memory",
    ]  # fmt: skip
    ended = subprocess.run(  # noqa: S603 - a tree's own program
        command, cwd=tree, capture_output=True, text=True, check=False
    )
    written = [line.removeprefix("wrote ") for line in ended.stdout.splitlines()]
    paths = [results / Path(line).name for line in written if line.endswith(".part.json")]
    if not paths:
        sys.exit(f"{tree}: exit {ended.returncode}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    (entry,) = (
        entry
        for entry in json.loads(paths[0].read_text())["results"]
        if (entry["case"], entry["pipeline"]) == (case, pipeline)
    )
    (run,) = entry["runs"]
    if not run["checked"] or run["faults"]:
        sys.exit(f"{tree}, {case}, {pipeline}: the answer is wrong: {run['faults']}")
    return float(run[FIGURE])


def main(arguments: list[str] | None = None) -> int:
    """Measure, show, judge; 1 where a median is over the gate."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pairs",
        description="CPU per message of this tree against another one's, in turns.",
    )
    parser.add_argument("tree", type=Path, help="a checkout that has been built")
    parser.add_argument("--runs", type=int, default=7, help="pairs of each case (%(default)s)")
    parser.add_argument("--case", action="append", choices=CASES, help="may be repeated")
    parser.add_argument("--pipeline", action="append", choices=PIPELINES, help="may be repeated")
    parser.add_argument("--most", type=float, default=1.03, help="the gate (%(default)s)")
    options = parser.parse_args(arguments)
    tree = options.tree.resolve()
    cases = options.case or [
        "trades/ws", "trades/ws, 10 symbols", "bbo/ws", "l2Book/ws", "binance capture/ws",
    ]  # fmt: skip
    found_on = machine.machine()
    print(f"{found_on['cpu']}, {found_on['system']}, Python {found_on['python']}")
    print(
        f"{machine.commit(HERE)} against {machine.commit(tree)}, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    is_missed = False
    for case in cases:
        for pipeline in options.pipeline or ["tickwire[protocol]"]:
            found = Pairs()
            for number in range(options.runs):
                trees = (tree, HERE) if number % 2 == 0 else (HERE, tree)
                figures = {each: measured(each, case, pipeline) for each in trees}
                found.here.append(figures[HERE])
                found.there.append(figures[tree])
                print(
                    f"  {case}, {pipeline}, pair {number + 1}: {found.ratios[-1]:.3f}", flush=True
                )
            print(f"{case}, {pipeline}: {found}", flush=True)
            is_missed |= statistics.median(found.ratios) > options.most
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
