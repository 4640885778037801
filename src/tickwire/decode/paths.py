"""Paths through a JSON document, as declarations write them."""

from __future__ import annotations

import re
from enum import Enum

from tickwire.errors import PlanError

_STEP = re.compile(r"\.?([^.\[\]{}]+)|\[(-?\d+)\]|(\[\])|(\{\})")


class Step(Enum):
    """A step that iterates."""

    EACH = "[]"
    MEMBERS = "{}"


Path = tuple[str | int | Step, ...]


def parse_path(text: str) -> Path:
    """Cut a path without `$` into keys, indices and iterations.

    Raises
    ------
    PlanError
        The text is no path.
    """
    steps: list[str | int | Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (text[position] == ".") != (match[1] is not None and position > 0):
            raise PlanError(f"{text!r} is no path: keys with dots between, [n], [] and {{}}")
        key, index, each, _ = match.groups()
        if key is not None:
            steps.append(key)
        elif index is not None:
            steps.append(int(index))
        else:
            steps.append(Step.EACH if each else Step.MEMBERS)
        position = match.end()
    return tuple(steps)


def iterations(path: Path) -> int:
    """Length of the part of a path that ends with its last iteration."""
    return max((i + 1 for i, step in enumerate(path) if isinstance(step, Step)), default=0)
