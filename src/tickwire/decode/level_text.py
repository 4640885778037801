"""The text of a book's prices and sizes in a message, for what must know their digits.

Rules of this file
------------------
- It reads a message again, by the declared paths and the standard library. That is done once for a
  symbol, never per message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tickwire.decode.paths import Path, Step

# Path of what gives a row, and of price and size from there.
LevelPath = tuple[Path, Path, Path]


def level_texts(paths: Sequence[LevelPath], payload: bytes) -> Iterator[tuple[str, str]]:
    """Give the text of price and size of each level of a message.

    Parameters
    ----------
    paths
        Where they stand.
    payload
        The message, JSON.
    """
    # What is no number of JSON is no text of a level either.
    document = json.loads(payload, parse_float=str, parse_int=str, parse_constant=str)
    for at, price, size in paths:
        for item in _values(document, at):
            for pair in zip(_values(item, price), _values(item, size), strict=False):
                if all(isinstance(text, str) for text in pair):
                    yield pair


def _values(value: Any, path: Path) -> Iterator[Any]:
    """Give what stands at a path; nothing where the message has no such place."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    found: list[Any] = []
    if step is Step.EACH:
        found = value if isinstance(value, list) else []
    elif step is Step.MEMBERS:
        found = list(value.values()) if isinstance(value, dict) else []
    elif isinstance(step, str):
        found = [value[step]] if isinstance(value, dict) and step in value else []
    elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
        found = [value[step]]
    for each in found:
        yield from _values(each, rest)
