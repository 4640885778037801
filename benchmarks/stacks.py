"""Reads the stacks that perf and py-spy have sampled, in one form: outermost function first.

Rules of this file
------------------
- A function of tickwire has its name in the source, `decode._walk.Walker.keyed`, from both tools.
- perf walks frame pointers. Our `profile` build has them, Python may not have: where the walk is
  lost, what lies further out is left out, so a stack may begin with the C function that Python
  called.
- py-spy sees the whole run, with Python's functions. Only stacks through a function called
  `steady` are kept, from it on, and none through `_life`, which starts and ends a feed: neither
  start nor end is what is looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from benchmarks.callgrind import readable
from benchmarks.flamegraph import Stack

# `    7f1c2a name+0x1f (/path/to/file.so)`, as `perf script -F ip,sym,dso` prints a frame.
PERF_FRAME = re.compile(r"^\s*[0-9a-f]+ (.*) \((.*)\)$")
# `Walker_keyed (_walk.pyx:234)`, `main (in_process.py:177)`, `readv (libc.so.6)`.
SPY_FRAME = re.compile(r"^(.*) \((.*?)(?::\d+)?\)$")
STEADY = "steady (python)"
START_AND_END = "_life (python)"


def of_perf(lines: Iterable[str]) -> Counter[Stack]:
    """Read what `perf script -F ip,sym,dso` prints."""
    found: Counter[Stack] = Counter()
    frames: list[str] = []  # innermost first
    for line in [*lines, ""]:
        match = PERF_FRAME.match(line)
        if match is not None:
            frames.append(_perf_name(*match.groups()))
        elif frames:
            if "" in frames:  # the walk is lost here
                frames = frames[: frames.index("")]
            if frames:
                found[tuple(reversed(frames))] += 1
            frames = []
    return found


def libraries_of(lines: Iterable[str]) -> Counter[str]:
    """Count whose code each sample was in, of what `perf script` prints without stacks."""
    return Counter(_owner(match[2]) for match in map(PERF_FRAME.match, lines) if match is not None)


def _owner(file: str) -> str:
    """Give whose a file of machine code is: a room of tickwire, a package, Python, Linux."""
    path = PurePath(file)
    if file.startswith("[") or path.suffix == ".ko":
        return "Linux" if file != "[unknown]" else file
    if _is_of_tickwire(path):
        return f"tickwire.{path.parent.name}"
    if "site-packages" in path.parts:
        package = path.parts[path.parts.index("site-packages") + 1]
        return package.partition(".")[0]
    if "lib-dynload" in path.parts or re.match(r"(lib)?python", path.name):
        return "Python"
    return path.name.partition(".")[0]


def _is_of_tickwire(path: PurePath) -> bool:
    """Whether a file is a module in one of its rooms; a checkout of that name has others, too."""
    return path.parent.parent.name == "tickwire"


def _perf_name(symbol: str, file: str) -> str:
    path = PurePath(file)
    if symbol == "[unknown]":
        return "" if file == "[unknown]" else f"?{path.name}"
    if file.startswith("["):
        return f"[k] {symbol}"
    name = readable(symbol)
    if _is_of_tickwire(path) and "._" not in name:  # C from a header, in a module of tickwire
        return f"{path.parent.name}.{path.name.partition('.')[0]}.{name}"
    return name


def of_spy(lines: Iterable[str]) -> Counter[Stack]:
    """Read what `py-spy record --format raw --full-filenames` writes; the steady part of it."""
    found: Counter[Stack] = Counter()
    for line in lines:
        text, _, n = line.rpartition(" ")
        frames: list[str] = []
        for frame in text.split(";"):
            name = _spy_name(frame, frames[-1] if frames else "")
            if name:
                frames.append(name)
        if STEADY in frames and START_AND_END not in frames:
            del frames[: frames.index(STEADY)]
            # A function that Python calls is there twice, as C has it and as Cython has it.
            pairs = zip(frames, ["", *frames], strict=False)
            found[tuple(name for name, caller in pairs if name != caller)] += int(n)
    return found


def _spy_name(frame: str, caller: str) -> str:
    """Give a function's name, or nothing where the compiler has merely put it in place."""
    if frame.startswith(("0x", "_mm")):  # without a name; an instruction that looks like a function
        return ""
    match = SPY_FRAME.match(frame)
    if match is None:
        return frame
    name, file = match.groups()
    path = PurePath(file)
    if path.suffix == ".py":
        return f"{name} (python)"
    if path.suffix in (".pyx", ".pxd"):
        name = name.removeprefix(f"{path.stem}_")  # a function of the module, not of a class
        if name[:1].isupper():
            name = name.replace("_", ".", 1)
        return f"{path.parent.name}.{path.stem}.{name}"
    if path.suffix == ".h" and "tickwire" in path.parts and "._" in caller:
        return ".".join([*caller.split(".")[:2], name])
    return name
