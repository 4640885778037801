"""Instructions per message, counted by valgrind's callgrind: `python -m benchmarks.instructions`.

Rules of this file
------------------
- A clock tells a percent on a quiet machine at best; a count of instructions is the same on any.
  It is not time: cache misses and mispredicted branches cost what they cost.
- One child runs everything under callgrind. It marks the beginning and the end of what is to be
  counted by calling a C function that nothing else calls; there callgrind writes down what it has
  counted (`--dump-before`). So Python's start, which takes longest, comes once and is not in it.
- Each case is counted over few messages and over more; the difference, by the messages more, is
  the figure. What a stretch costs once cancels out.
- What is counted is user space: `readv` brings the bytes, so no copy into the buffer is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.callgrind import MARK, functions_of, totals_of, under_callgrind
from benchmarks.decode.payloads import CASES
from benchmarks.in_process import Frames, InProcessPipeline

from tickwire.bench import machine

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
N_WARM, N_FEW, N_MORE = 8, 2, 10  # reads
MARKS_A_STRETCH = 6  # before and after each of these


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is counted.

    Parameters
    ----------
    case
        Of `benchmarks.decode.payloads`.
    decodes
        Decodes into the ring; otherwise parses frames and gives them to a handler that does
        nothing.
    alone
        Each message comes in a read of its own; otherwise a read brings as many as 64 KiB hold.
    """

    case: str
    decodes: bool = True
    alone: bool = False

    @property
    def name(self) -> str:
        """In the results."""
        return self.case + ("" if self.decodes else "/frames") + ("/alone" if self.alone else "")

    @property
    def parts(self) -> tuple[int, int, int]:
        """Give the reads of each part."""
        factor = 100 if self.alone else 1
        return N_WARM * factor, N_FEW * factor, N_MORE * factor


STRETCHES = {
    stretch.name: stretch
    for stretch in (
        *(Stretch(case) for case in CASES),
        *(Stretch(case, decodes=False) for case in ("trade", "bbo", "l2Book")),
        Stretch("binance bookTicker", decodes=False),
        # What a read costs that brings one message, the call from Python included.
        Stretch("trade", alone=True),
        Stretch("trade", decodes=False, alone=True),
    )
}
Found = dict[str, dict[str, float]]


class Refused(Exception):
    """It cannot be counted here; says why."""


def count(name: str, frames: Frames) -> None:
    """Run a stretch, marking its parts; what the child does."""
    stretch = STRETCHES[name]
    pipeline = InProcessPipeline(stretch.case, decodes=stretch.decodes)
    start = 0
    gc.collect()
    gc.disable()
    for n_reads in stretch.parts:
        read_bytes = frames.read_bytes[start : start + n_reads]
        os.ctermid()
        pipeline.read(frames.descriptor, read_bytes)
        os.ctermid()
        start += n_reads
    gc.enable()
    pipeline.check(frames.n_messages)


def counted(names: list[str], folder: Path, *, branches: bool = False) -> Found:
    """Run a child under callgrind; give the figures of each stretch."""
    if shutil.which("valgrind") is None:
        raise Refused("there is no valgrind")
    orders, sizes = [], []
    for number, name in enumerate(names):
        stretch = STRETCHES[name]
        path = folder / f"frames.{number}"
        n_reads = sum(stretch.parts)
        with Frames.write(path, stretch.case, n_reads, per_read=int(stretch.alone)) as frames:
            orders.append((name, str(path), frames.read_bytes, frames.per_read))
            sizes.append(sum(frames.read_bytes) / frames.n_messages)
    command = [
        *under_callgrind(folder / "counts", f"--branch-sim={'yes' if branches else 'no'}"),
        sys.executable,
        "-m",
        "benchmarks.instructions",
        "--child",
    ]
    subprocess.run(  # noqa: S603 - our own program
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        input=json.dumps(orders),
        text=True,
        check=True,
    )
    if not (folder / f"counts.{MARKS_A_STRETCH * len(names)}").exists():
        raise Refused(f"callgrind did not see {MARK}, which marks what is to be counted")
    found = {}
    for number, (name, _, _, per_read) in enumerate(orders):
        # A mark closes what came before it: the fourth the smaller part, the sixth the larger one.
        few, more = (
            totals_of(folder / f"counts.{MARKS_A_STRETCH * number + mark}") for mark in (4, 6)
        )
        parts = STRETCHES[name].parts
        n_messages = (parts[2] - parts[1]) * per_read
        each = {event: (more[event] - few[event]) / n_messages for event in more}
        found[name] = {
            "instructions": round(each["Ir"], 1),
            "bytes": round(sizes[number], 1),
            "messages_per_read": per_read,
            "messages": n_messages,
        }
        if branches:
            found[name]["mispredicted"] = round(each["Bcm"] + each["Bim"], 2)
    return found


def spent_by_function(found: Found, folder: Path, n_most: int) -> str:
    """Lay out which functions the instructions of each stretch are spent in, most first."""
    lines = []
    for number, (name, figures) in enumerate(found.items()):
        few, more = (
            functions_of(folder / f"counts.{MARKS_A_STRETCH * number + mark}") for mark in (4, 6)
        )
        more.subtract(few)
        lines += ["", f"{name}: instructions per message that a function spends itself"]
        lines += [
            f"{n / figures['messages']:>12,.1f}  {each}" for each, n in more.most_common(n_most)
        ]
    return "\n".join(lines)


def table(found: Found) -> str:
    """Lay out the figures for people."""
    lines = [f"{'instructions per message':<28}{'bytes':>8}{'a read':>8}{'count':>12}{'a byte':>8}"]
    for name, each in found.items():
        line = (
            f"{name:<28}{each['bytes']:>8,.0f}{each['messages_per_read']:>8,.0f}"
            f"{each['instructions']:>12,.1f}{each['instructions'] / each['bytes']:>8.2f}"
        )
        if "mispredicted" in each:
            line += f"  {each['mispredicted']:.2f} branches mispredicted"
        lines.append(line)
    return "\n".join(lines)


def document(found: Found) -> dict[str, Any]:
    """Give what is kept: `instructions` by case, and the rest of what was found beside it."""
    return {
        "machine": machine.machine(),
        "commit": machine.commit(),
        "build": machine.build(),
        "instructions": {name: each["instructions"] for name, each in found.items()},
        "stretches": found,
    }


def main(arguments: list[str] | None = None) -> int:
    """Count, keep the result, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions")
    parser.add_argument("--case", action="append", choices=STRETCHES, help="may be repeated")
    parser.add_argument("--again", action="store_true", help="even if this commit was counted")
    parser.add_argument(
        "--branches", action="store_true", help="mispredicted branches too (slower)"
    )
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="show the N dearest")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        for name, path, read_bytes, per_read in json.load(sys.stdin):
            with Frames(Path(path), read_bytes, per_read) as frames:
                count(name, frames)
        return 0
    names = options.case or list(STRETCHES)
    whole = not (options.case or options.branches or options.functions)
    path = RESULTS / f"{machine.commit()}.instructions.json"
    if whole and path.exists() and "dirty" not in path.name and not options.again:
        print(table(json.loads(path.read_text())["stretches"]))
        print(f"counted before: {path} (--again counts anew)")
        return 0
    print(f"counting {len(names)} cases under callgrind, which takes a minute", flush=True)
    if machine.build() != "release":
        print(f"NOTE: the build is {machine.build()}, whose counts are not the release's")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            found = counted(names, folder, branches=options.branches)
        except Refused as reason:
            print(f"SKIPPED: instructions were not counted: {reason}")
            return 0
        print(table(found))
        if options.functions:
            print(spent_by_function(found, folder, options.functions))
    if not options.case:
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(document(found), indent=1) + "\n")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
