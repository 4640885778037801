"""Writes the rooms and their files into docs/design.md: `python -m tests.house.rooms --write`.

Rules of this file
------------------
- A room's duty is the first line of its `__init__.py`, a file's that of its docstring or first
  comment. So the page cannot say anything else than the code does.
- A test (test_rooms.py) compares; `make lint` needs nothing of it.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from tests.house.test_layout import EXT, HEADERS_ALONE, LEVEL_OF, LEVELS, ROOMS, ROOT, SRC

PAGE = ROOT / "docs" / "design.md"
BEGIN = "<!-- python -m tests.house.rooms --write: begin -->"
END = "<!-- end -->"
SUFFIXES = {".py", ".pyx", ".h", ".inc"}
BASE = "What headers of several rooms share: bits, clocks, hashes, atomics, SIMD levels, UTF-8."


def first_sentence(path: Path) -> str:
    """Give what a file says of itself, without its full stop."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        head = ast.get_docstring(ast.parse(text)) or ""
    else:
        head = text.lstrip('"/* \n').split('"""')[0].split("*/")[0]
    first = " ".join(head.split("\n\n")[0].replace("\n *", "\n").split())
    for end in (". ", ": see "):
        first = first.partition(end)[0]
    return first.rstrip(".").replace("|", "\\|")


def files(room: str) -> list[Path]:
    """Give a room's files, by name; packages stand for themselves by their `__init__`."""
    tops = (SRC / "tickwire" / room, EXT / "tickwire" / room)
    found = [path for top in tops for path in top.rglob("*") if path.suffix in SUFFIXES]
    return sorted(
        (path for path in found if path != SRC / "tickwire" / room / "__init__.py"),
        key=lambda path: (folder_of(room, path), path.stem.strip("_"), path.suffix),
    )


def folder_of(room: str, path: Path) -> tuple[str, ...]:
    """Give the folders within its room in which a file lies; a package's file comes first there."""
    names = path.parts[path.parts.index(room, path.parts.index("tickwire")) + 1 : -1]
    return (*names, "") if path.stem == "__init__" else (*names, " ") if names else names


def name_of(room: str, path: Path) -> str:
    """Give a file's name within its room."""
    parts = path.parts[path.parts.index(room, path.parts.index("tickwire")) + 1 :]
    name = "/".join(parts)
    return name.removesuffix("/__init__.py") + "/" if path.stem == "__init__" else name


def above(room: str) -> str:
    """Give the rooms that may import this one."""
    level = LEVEL_OF[room]
    names = [name for rooms in LEVELS[:level] for name in sorted(rooms)]
    return ", ".join(names) or "none"


def page() -> str:
    """Give the part of the page."""
    lines = [BEGIN, ""]
    for level in LEVELS:
        for room in sorted(level & set(ROOMS)):
            duty = first_sentence(SRC / "tickwire" / room / "__init__.py")
            lines += [f"### {room}", "", f"{duty}. May be imported by: {above(room)}.", ""]
            lines += ["| file | what it is |", "|---|---|"]
            lines += [
                f"| `{name_of(room, path)}` | {first_sentence(path)} |" for path in files(room)
            ]
            lines.append("")
    alone = [path for path in sorted((SRC / "tickwire").glob("*.py")) if path.stem != "__init__"]
    lines += ["### Modules without a room", "", "| file | what it is |", "|---|---|"]
    lines += [f"| `{path.name}` | {first_sentence(path)} |" for path in alone]
    lines += ["", f"### {HEADERS_ALONE}", "", f"{BASE} May be included by every room.", ""]
    lines += ["| file | what it is |", "|---|---|"]
    lines += [
        f"| `{path.name}` | {first_sentence(path)} |"
        for path in sorted((EXT / "tickwire" / HEADERS_ALONE).glob("*.h"))
    ]
    return "\n".join([*lines, "", END])


def current(text: str) -> str:
    """Give the part that stands in the page now.

    Raises
    ------
    ValueError
        The page lacks a mark.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE.name} lacks {BEGIN} or {END}")
    return BEGIN + text.partition(BEGIN)[2].partition(END)[0] + END


def main(arguments: list[str]) -> int:
    """Print the part, or write it into the page."""
    if arguments == ["--write"]:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(text.replace(current(text), page()), encoding="utf-8")
    else:
        print(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
