"""Where the CPU of a paced message goes: `python -m benchmarks.paced.where --rate 1000`.

perf samples the receiver's process while a stretch comes in; each sample belongs to whose code the
processor was in: Linux, Python, the loop, a room of tickwire, another library. Shares times the
CPU per message, by the kernel's own count of that stretch, give microseconds per message, pipelines
side by side.

Rules of this file
------------------
- perf starts when the warm-up has been reported and stops before the stretch is, from inside the
  receiver's process, so that nothing but the stretch is sampled. What starting it costs that
  process is in the figure: some milliseconds in a stretch of seconds.
- Answers are checked as in the benchmark itself.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.paced.plan import N_WARM, PIPELINES
from benchmarks.profiling import Refused, must, perf_works
from benchmarks.stacks import libraries_of

from tickwire.bench.outcomes import StagePipeline
from tickwire.bench.processes import Receive
from tickwire.bench.stages import MAX_MESSAGES, Pace, measure_stages
from tickwire.errors import TickwireError

HZ = 4999
LEAST_US = 0.05  # what takes less in every pipeline is one line together
PERF_ENDS_S = 10.0


class Perf:
    """perf, sampling a process from now on."""

    def __init__(self, pid: int, path: str) -> None:
        asked, self._ask = os.pipe()
        self._answer, answered = os.pipe()
        command = ["perf", "record", "-q", "-F", str(HZ), "-e", "cpu-clock", "-p", str(pid)]
        command += ["-o", path, "--delay=-1", f"--control=fd:{asked},{answered}"]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            command, pass_fds=(asked, answered), stderr=subprocess.DEVNULL
        )
        os.close(asked)
        os.close(answered)
        self._tell(b"enable\n")

    def stop(self) -> None:
        """End it; its file is written."""
        self._tell(b"stop\n")
        self._process.wait(PERF_ENDS_S)
        os.close(self._ask)
        os.close(self._answer)

    def _tell(self, word: bytes) -> None:
        os.write(self._ask, word)
        os.read(self._answer, 16)  # "ack"


@dataclass(frozen=True, slots=True)
class Sampled:
    """A receiver that has perf sample it after its warm-up.

    Parameters
    ----------
    receive
        The pipeline's own.
    path
        Where perf writes.
    """

    receive: Receive
    path: str

    def __call__(self, job: Any, report: Callable[[Any], None], /) -> None:
        """Receive."""
        perf: list[Perf] = []

        def sampled(result: Any) -> None:
            if perf:
                perf[0].stop()
            report(result)
            if not perf:
                perf.append(Perf(os.getpid(), self.path))

        self.receive(job, sampled)


def look(pipelines: Sequence[StagePipeline], pace: Pace) -> dict[str, Counter[str]]:
    """Give, by pipeline, nanoseconds of CPU per message by library."""
    found: dict[str, Counter[str]] = {}
    for pipeline in pipelines:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "data")
            sampled = StagePipeline(
                pipeline.name, pipeline.stage, Sampled(pipeline.receive, path), pipeline.decodes
            )
            result = measure_stages([sampled], [pace], n_warm=N_WARM)[0]
            if result.faults:
                raise TickwireError(f"{pipeline.name}: {result.faults[0]}")
            lines = must(["perf", "script", "-i", path, "-F", "ip,sym,dso"]).splitlines()
        samples = libraries_of(lines)
        if not samples:
            raise Refused(f"perf took no sample of {pipeline.name}")
        cpu_ns = result.runs[0]["cpu_ns_per_message"]
        found[pipeline.name] = Counter(
            {name: round(cpu_ns * n / samples.total()) for name, n in samples.items()}
        )
    return found


def table(found: dict[str, Counter[str]]) -> str:
    """Lay out libraries by pipelines, the dearest first, microseconds per message."""
    total: Counter[str] = Counter()
    for each in found.values():
        total.update(each)
    shown = [
        name
        for name, _ in total.most_common()
        if any(each[name] >= LEAST_US * 1e3 for each in found.values())
    ]
    rows = [("all", [sum(each.values()) for each in found.values()])]
    rows += [(name, [each[name] for each in found.values()]) for name in shown]
    rows.append(
        (
            "others",
            [sum(n for name, n in each.items() if name not in shown) for each in found.values()],
        )
    )
    lines = ["| CPU, us per message | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(f"{ns / 1e3:.2f}" for ns in values) + " |"
        for name, values in rows
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Look at what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paced.where", description=__doc__)
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch")
    parser.add_argument("--pipeline", action="append", help="those whose names have this")
    options = parser.parse_args(arguments)
    words = options.pipeline or [""]
    pipelines = [each for each in PIPELINES if any(word in each.name for word in words)]
    pace = Pace(options.rate, options.seconds, 1)
    if not pipelines:
        parser.error("no pipeline has such a name")
    if not 1 <= pace.n_messages <= MAX_MESSAGES:
        parser.error(f"rate times seconds: 1 to {MAX_MESSAGES:,} messages")
    try:
        if not perf_works():
            raise Refused("perf is missing or may not sample: docs/profiling.md says what to do")
        print(table(look(pipelines, pace)))
    except (Refused, TickwireError) as reason:
        print(f"benchmarks.paced.where: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
