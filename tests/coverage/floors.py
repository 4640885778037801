"""The floors of `make coverage`, and the files below them, each with a reason and its own floor."""

from __future__ import annotations

from typing import NamedTuple

# Percent of the lines of all files of a kind, and of each file that is not named below.
FLOORS = {"Python": 95, "Cython": 90, "C headers": 90}


class Below(NamedTuple):
    """A file below the floor of its kind."""

    percent: int
    reason: str


BELOW: dict[str, Below] = {}
