"""Looks for memory that cannot be freed any more: `python -m tests.memory.leaks MESSAGES`.

Runs tests/memory/traffic.py under valgrind, and fails where a block that is definitely lost was
allocated by tickwire. What CPython and other libraries leave at their end is not judged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import tickwire

REPORT = Path("build/valgrind.xml")
HARMLESS = ("Leak_PossiblyLost", "Leak_StillReachable", "Leak_IndirectlyLost")
PACKAGE = str(Path(tickwire.__file__).parent)


def lost(report: Path) -> list[str]:
    """The blocks of tickwire that are definitely lost, and errors of memory access in our code."""
    found = []
    for error in ET.parse(report).getroot().iter("error"):  # noqa: S314 - valgrind's own words
        kind = error.findtext("kind", "")
        frames = list(error.iter("frame"))
        in_tickwire = any(PACKAGE in (frame.findtext("obj") or "") for frame in frames)
        if in_tickwire and kind not in HARMLESS:
            where = "\n".join(
                f"    {frame.findtext('fn')} ({frame.findtext('file')}:{frame.findtext('line')})"
                for frame in frames[:15]
            )
            what = error.findtext("xwhat/text") or error.findtext("what")
            found.append(f"{kind}: {what}\n{where}")
    return found


def main() -> int:
    """Run, and say what was found."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.exit("there is no valgrind")
    REPORT.parent.mkdir(exist_ok=True)
    command = [
        valgrind,
        "--leak-check=full",
        "--show-leak-kinds=definite",
        "--num-callers=30",
        "--xml=yes",
        f"--xml-file={REPORT}",
        sys.executable,
        "-m",
        "tests.memory.traffic",
        sys.argv[1],
    ]
    # With Python's own allocator, no block of a Python object would be seen.
    environment = os.environ | {"PYTHONMALLOC": "malloc", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    subprocess.run(command, env=environment, check=True)  # noqa: S603 - our own program
    found = lost(REPORT)
    print("\n".join(found) or "tickwire lost nothing")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
