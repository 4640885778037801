"""How often each line of Cython runs per message: `python -m benchmarks.lines decode/_walk`.

Needs the build `trace`, which tells Python's tracing of each line, also without the GIL. That makes
everything a hundred times slower, so times would say nothing; counts are exact. They say which
branches a message takes, how often a loop turns, and what runs per message that should not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.decode.payloads import CASES
from benchmarks.in_process import Frames, InProcessPipeline

from tickwire.bench import machine

ROOT = Path(__file__).resolve().parents[1]
EXT = ROOT / "ext" / "tickwire"
N_READS = 8
PER_READ = 20


@contextmanager
def each_line(note: Callable[[str, int], None]) -> Iterator[None]:
    """Call `note` with file and line of each line that runs, Cython's included."""
    # From 3.13 on Cython tells `sys.monitoring`, before that the tracer of the thread.
    monitoring: Any = getattr(sys, "monitoring", None) if sys.version_info >= (3, 13) else None
    if monitoring is not None:
        tool, line_event = monitoring.PROFILER_ID, monitoring.events.LINE
        monitoring.use_tool_id(tool, "tickwire lines")
        monitoring.register_callback(
            tool, line_event, lambda code, line: note(code.co_filename, line)
        )
        monitoring.set_events(tool, line_event)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
        return

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            note(frame.f_code.co_filename, frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def counted(case: str) -> tuple[Counter[tuple[str, int]], int]:
    """Run some reads; how often each line of each file ran, and how many messages there were."""
    pipeline = InProcessPipeline(case)
    runs: Counter[tuple[str, int]] = Counter()

    def note(name: str, line: int) -> None:
        runs[name, line] += 1

    with (
        tempfile.TemporaryDirectory() as folder,
        Frames.write(Path(folder) / "frames", case, 2 * N_READS, per_read=PER_READ) as frames,
    ):
        pipeline.read(frames.descriptor, frames.read_bytes[:N_READS])
        with each_line(note):
            pipeline.read(frames.descriptor, frames.read_bytes[N_READS:])
        pipeline.check(frames.n_messages)
    return runs, N_READS * frames.per_read


def by_file(runs: Counter[tuple[str, int]], n_messages: int) -> str:
    """Lay out how many lines of each file run per message."""
    files: Counter[str] = Counter()
    for (name, _), n in runs.items():
        if "ext/tickwire/" in name:
            files[name.rpartition("ext/tickwire/")[2]] += n
    lines = [f"{n / n_messages:>10.2f}  {name}" for name, n in files.most_common()]
    return "\n".join(["lines per message", *lines])


def annotated(runs: Counter[tuple[str, int]], n_messages: int, source: Path) -> str:
    """Give a source with the runs per message beside each line that ran."""
    ran = {
        line: n / n_messages
        for (name, line), n in runs.items()
        if name.endswith(source.relative_to(EXT).as_posix())
    }
    text = source.read_text(encoding="utf-8").splitlines()
    return "\n".join(
        f"{f'{ran[number]:.2f}' if number in ran else '':>10} {number:>4}  {line}".rstrip()
        for number, line in enumerate(text, 1)
    )


def main(arguments: list[str] | None = None) -> int:
    """Count, and lay out what was asked for."""
    sources = {
        path.relative_to(EXT).with_suffix("").as_posix(): path for path in EXT.glob("*/_*.pyx")
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lines", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="ROOM/_MODULE", help="sources to show")
    parser.add_argument("--case", choices=CASES, default="trade")
    options = parser.parse_args(arguments)
    for name in options.modules:
        if name not in sources:
            parser.error(f"there is no {name}: {', '.join(sorted(sources))}")
    if machine.build() != "trace":
        print(
            f"the build is {machine.build()}: `make build TICKWIRE_BUILD=trace` first",
            file=sys.stderr,
        )
        return 1
    runs, n_messages = counted(options.case)
    if not any("ext/tickwire/" in name for name, _ in runs):
        print("this Python does not see Cython's lines; try another", file=sys.stderr)
        return 1
    print(by_file(runs, n_messages))
    for name in options.modules:
        print(f"\n{name}.pyx: runs per message of {options.case}")
        print(annotated(runs, n_messages, sources[name]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
