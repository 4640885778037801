"""Finds where a fault is planted: a pattern in a function of a room.

Rules of this file
------------------
- A function is found by its name in any file of its room, so that code may move from file to file.
- A pattern is code. White space in it, line ends too, stands for any white space or none, so that
  code may be laid out anew. It must fit once in all the functions of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PYTHON = re.compile(r"^( *)(?:async )?(?:def|cdef|cpdef)\b[^=\n]*?\b(\w+)\(", re.M)
C = re.compile(
    r"^(?!typedef|return|#|//|/\*|\*)(?:[A-Za-z_][^;={}\n]*?\b)?(?!__attribute__|target\b)(\w+)\(",
    re.M,
)
MACRO = re.compile(r"^#define (\w+)(?:[^\n]*\\\n)*[^\n]*\n", re.M)
SUFFIXES = {".pyx", ".pxd", ".h", ".inc", ".py"}
TOKEN = re.compile(r"\w+|[^\w\s]")


def functions_of(text: str, suffix: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of each function, an inner one after the one around it."""
    if suffix in {".h", ".inc", ".c"}:
        for found in MACRO.finditer(text):
            yield found[1], found.start(), found.end()
        for found in C.finditer(text):
            end = re.compile(r"^\}|^#define ", re.M).search(text, found.end())
            yield found[1], found.start(), end.end() if end else len(text)
        return
    for found in PYTHON.finditer(text):
        # To the next line that is not deeper; a closing bracket ends the head.
        outside = re.compile(rf"^ {{0,{len(found[1])}}}[^\s)#]", re.M)
        end = outside.search(text, found.end())
        yield found[2], found.start(), end.start() if end else len(text)


def pattern_of(code: str) -> re.Pattern[str]:
    """Compile a fragment of code, whatever its white space."""
    tokens = TOKEN.findall(code)
    before = r"\b" if re.match(r"\w", tokens[0]) else ""
    behind = r"\b" if re.match(r"\w", tokens[-1]) else ""
    return re.compile(before + r"\s*".join(map(re.escape, tokens)) + behind)


def places(root: Path, room: str, function: str, code: str) -> list[tuple[Path, int, int]]:
    """Give file, start and end of all that fits; without a function, anywhere in the room."""
    pattern = pattern_of(code)
    found = set()
    for top in ("ext", "src"):
        for path in (root / top / "tickwire" / room).glob("*"):
            if path.suffix not in SUFFIXES:
                continue
            text = path.read_text(encoding="utf-8")
            for name, start, end in functions_of(text, path.suffix):
                if name == function:
                    for match in pattern.finditer(text, start, end):
                        found.add((path, match.start(), match.end()))
            if not function:
                found |= {(path, match.start(), match.end()) for match in pattern.finditer(text)}
    return sorted(found)
