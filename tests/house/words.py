"""Look for words of our own where the field has a word: `python -m tests.house.words`.

The list is tests/house/words.txt. Every hit is a line `file:line: found => use this`; exit code 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("words.txt")
SUFFIXES = {".py", ".pyx", ".pxd", ".pyi", ".h", ".inc", ".c", ".md", ".toml"}
NAMES = {"Makefile", "run"}
# The list itself, data, and where the summary's old keys are named.
EXEMPT = (
    "tests/house/words",
    "tests/house/test_words",
    "tests/fuzz/corpus",
    "benchmarks/results",
    "CHANGELOG.md",
    "tests/feed/test_summary.py",
)


class Word(NamedTuple):
    """A line of the list.

    Parameters
    ----------
    pattern
        What not to write.
    instead
        What to write.
    """

    pattern: re.Pattern[str]
    instead: str


def words(text: str) -> list[Word]:
    """Read a list.

    Raises
    ------
    ValueError
        A line without `=>`.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, arrow, instead = line.partition("=>")
        if not arrow:
            raise ValueError(f"{LIST.name}: no '=>' in {line!r}")
        # `\b` would not stop at `_`, and names are made of words.
        whole = rf"(?<![A-Za-z])(?:{pattern.strip()})(?![A-Za-z])"
        found.append(Word(re.compile(whole, re.IGNORECASE), instead.strip()))
    return found


def hits(text: str, banned: list[Word]) -> list[tuple[int, str, str]]:
    """Give the number of the line, the text found and what to write, in the text's order."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in banned:
            found += [(number, match[0], word.instead) for match in word.pattern.finditer(line)]
    return found


def sources() -> list[Path]:
    """Give the files of the checkout that git knows and that hold words."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - as above
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = [name for name in listed.split("\0") if name and not name.startswith(EXEMPT)]
    paths = [ROOT / name for name in names]
    return [path for path in paths if path.suffix in SUFFIXES or path.name in NAMES]


def main() -> int:
    """Print every hit."""
    banned = words(LIST.read_text())
    n_hits = 0
    for path in sources():
        if path.exists():
            for number, found, instead in hits(path.read_text(encoding="utf-8"), banned):
                n_hits += 1
                print(f"{path.relative_to(ROOT)}:{number}: {found!r} => {instead}")
    if n_hits:
        print(f"{n_hits} words that are not the field's; the list is {LIST.relative_to(ROOT)}")
    return int(n_hits > 0)


if __name__ == "__main__":
    sys.exit(main())
