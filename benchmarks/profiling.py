"""Profiles tickwire and draws a flame graph: `python -m benchmarks.profiling`, or `make profile`.

perf samples from outside and sees the kernel, so it is asked first; py-spy, which stops the process
for each sample, needs no permission of the system. memray counts allocations instead.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.callgrind import readable
from benchmarks.decode.payloads import CASES
from benchmarks.flamegraph import Stack, group_of, spent_itself, svg
from benchmarks.stacks import of_perf, of_spy

from benchmarks import busy_feed, in_process
from tickwire.bench import machine

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "profile"
BIN = Path(sys.executable).parent
PERF_HZ = 1999
SPY_HZ = 499
N_SHOWN = 25
WARM_READS = 80  # trades of 40 are more ids than are remembered
MEMRAY_DEPTH = 4
ALLOCATES = {
    "MALLOC", "CALLOC", "REALLOC", "POSIX_MEMALIGN", "ALIGNED_ALLOC", "MEMALIGN", "MMAP",
    "PYMALLOC_MALLOC", "PYMALLOC_CALLOC", "PYMALLOC_REALLOC",
}  # fmt: skip


class Refused(Exception):
    """It cannot be profiled here; says why."""


def perf_works() -> bool:
    """Whether perf is there and may sample."""
    perf = shutil.which("perf")
    if perf is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = run([perf, "record", "-q", "-g", "-o", f"{folder}/data", "true"])
        return tried.returncode == 0


def tool_of(wanted: str) -> str:
    """Choose the tool, or say why there is none."""
    if wanted in ("auto", "perf") and perf_works():
        return "perf"
    if wanted == "perf":
        raise Refused(
            "perf is missing or may not sample: install linux-perf, and let users sample with "
            "`sysctl kernel.perf_event_paranoid=1`, or take TOOL=py-spy"
        )
    if wanted == "auto":
        wanted = "py-spy"
    if not (BIN / wanted).exists():
        raise Refused(f"there is no {wanted}: `{BIN}/python -m pip install --group profile`")
    return wanted


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a tool and keep what it says."""
    return subprocess.run(  # noqa: S603 - our own words
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )


def must(command: Sequence[str | Path]) -> str:
    """Run a tool; what it prints."""
    done = run(command)
    if done.returncode:
        raise Refused(f"{Path(command[0]).name} failed:\n{done.stderr.strip()}")
    return done.stdout


def by_perf(workload: Sequence[str], seconds: float) -> Counter[Stack]:
    """Sample a process from when it says that it is steady."""
    data = FOLDER / "perf.data"
    with subprocess.Popen(  # noqa: S603 - our own program
        workload, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "steady":
            raise Refused("the load ended before it was steady; its own error stands above")
        record = ["perf", "record", "-q", "-F", str(PERF_HZ), "--call-graph", "fp"]
        record += ["-p", str(process.pid), "-o", str(data), "--", "sleep", f"{seconds:g}"]
        try:
            must(record)
        finally:
            rest, _ = process.communicate()
    print(rest.strip())
    return of_perf(must(["perf", "script", "-i", data, "-F", "ip,sym,dso"]).splitlines())


def by_spy(workload: Sequence[str]) -> Counter[Stack]:
    """Sample a process from its start; its steady part is kept."""
    path = FOLDER / "py-spy.folded"
    options = ["record", "--native", "--full-filenames"]
    options += ["--rate", str(SPY_HZ), "--format", "raw", "--output", str(path)]
    said = must([BIN / "py-spy", *options, "--", *workload]).splitlines()
    print("\n".join(line for line in said if line and not line.startswith(("py-spy>", "steady"))))
    return of_spy(path.read_text().splitlines())


def by_memray(case: str) -> str:
    """Write down every allocation of some steady reads; lay out who made them."""
    import memray

    data, page = FOLDER / "memray.bin", FOLDER / "memray.html"
    data.unlink(missing_ok=True)
    load = in_process.InProcessPipeline(case)
    n_tracked = WARM_READS // 2
    path = FOLDER / "frames"
    with in_process.Frames.write(path, case, WARM_READS + n_tracked) as frames:
        load.read(frames.descriptor, frames.read_bytes[:WARM_READS])
        with memray.Tracker(data, native_traces=True, trace_python_allocators=True):
            load.read(frames.descriptor, frames.read_bytes[WARM_READS:])
        load.check(frames.n_messages)
        n_messages = n_tracked * frames.per_read
    path.unlink()
    makers: Counter[str] = Counter()
    with memray.FileReader(data) as reader:
        for record in reader.get_allocation_records():
            if record.n_allocations and memray.AllocatorType(record.allocator).name in ALLOCATES:
                calls = [readable(name) for name, _, _ in record.hybrid_stack_trace()]
                makers[" < ".join(calls[:MEMRAY_DEPTH])] += record.n_allocations
    must([BIN / "memray", "flamegraph", "--force", "-o", page, data])
    lines = [
        f"{makers.total():,} allocations in {n_tracked} reads of {n_messages:,} messages, by "
        "the function that made them and its callers:"
    ]
    lines += [f"{n:>8,}  {calls}" for calls, n in makers.most_common(N_SHOWN)]
    return "\n".join([*lines, f"wrote {page}"])


def report(samples: Counter[Stack], title: str, path: Path) -> str:
    """Draw the flame graph, and lay out the functions that take most."""
    n_all = samples.total()
    path.write_text(svg(samples, title), encoding="utf-8")
    own = spent_itself(samples)
    groups: Counter[str] = Counter()
    for name, n in own.items():
        groups[group_of(name)] += n
    lines = [f"{title}: {n_all:,} samples", "", "  share  of the time, by whose function it is"]
    lines += [f"{n / n_all:>7.1%}  {group}" for group, n in groups.most_common()]
    lines += ["", "  share  spent by the function itself"]
    lines += [f"{n / n_all:>7.1%}  {name}" for name, n in own.most_common(N_SHOWN)]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Profile what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling", description=__doc__)
    feeds = [f"feed:{name}" for name in busy_feed.FEEDS]
    parser.add_argument("--case", choices=[*CASES, *feeds], default="trade")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--tool", choices=["auto", "perf", "py-spy", "memray"], default="auto")
    options = parser.parse_args(arguments)
    is_feed = options.case.startswith("feed:")
    module = busy_feed if is_feed else in_process
    try:
        tool = tool_of(options.tool)
        if tool == "memray" and is_feed:
            raise Refused("memray looks at the way from read to ring: take a CASE that is no feed")
        seconds = options.seconds
        workload = [sys.executable, "-m", module.__name__]
        workload += ["--case", options.case.removeprefix("feed:"), "--seconds", f"{seconds + 1:g}"]
        FOLDER.mkdir(parents=True, exist_ok=True)
        how_long = "" if tool == "memray" else f" for {seconds:g} s"
        print(f"profiling {options.case}{how_long} with {tool}", flush=True)
        if machine.build() not in ("profile", "release"):
            print(f"NOTE: the build is {machine.build()}, whose times mean nothing")
        if tool == "memray":
            print(by_memray(options.case))
            return 0
        samples = by_perf(workload, seconds) if tool == "perf" else by_spy(workload)
        if not samples:
            raise Refused(f"{tool} took no sample")
    except Refused as reason:
        print(f"make profile: {reason}", file=sys.stderr)
        return 1
    path = FOLDER / f"{options.case.replace(' ', '-').replace('/', '-').replace(':', '-')}.svg"
    print(report(samples, f"{options.case}, {tool}, build {machine.build()}", path))
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
