"""What an acknowledgement says of a number: whose it is from now on, on its connection."""

from __future__ import annotations

import json
from typing import Any

from tickwire.decode.paths import Path, Step, parse_path
from tickwire.errors import PlanError

MOST_NUMBER = 1 << 63


def naming_paths(names: tuple[str, str]) -> tuple[Path, Path]:
    """Give where number and symbol stand.

    Raises
    ------
    PlanError
        One of them is no path to a scalar.
    """
    number, symbol = (parse_path(path.removeprefix("$").removeprefix(".")) for path in names)
    if any(isinstance(step, Step) for step in (*number, *symbol)) or not number or not symbol:
        raise PlanError("names=(number, symbol) are paths to one scalar each")
    return number, symbol


def named_in(paths: tuple[Path, Path], payload: bytes) -> tuple[int, str] | None:
    """Give the number and the symbol that an acknowledgement names; None where it does not.

    Parameters
    ----------
    paths
        As `naming_paths` gives them.
    payload
        The message.
    """
    try:
        document = json.loads(payload)
        number, symbol = (_at(document, path) for path in paths)
        if isinstance(number, str):
            number = int(number)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not is_number or not -MOST_NUMBER <= number < MOST_NUMBER or not isinstance(symbol, str):
        return None
    return number, symbol


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value
