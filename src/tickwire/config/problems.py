"""One line per mistake: the key, what is wrong with it, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tickwire.redaction import shown_url

# pydantic's kinds of mistakes, as a TOML file calls them.
_WORDS = {
    "string_type": "should be a string in quotes",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "tuple_type": "should be a list in brackets",
    "dict_type": "should be a table of strings",
    "finite_number": "should be a finite number",
    "string_pattern_mismatch": "should have no control characters",  # the only pattern there is
}
# What a key that has no default should be.
_REQUIRED = {
    "venue": "should be the name of a venue, such as 'hyperliquid'",
    "channels": "should be a list of channels, such as ['trades', 'quotes']",
    "symbols": "should be a list of the venue's symbols, such as ['BTC'], or ['*']",
    "path": "should be a path in quotes",
}
_LONGEST_VALUE = 60
# Their values may hold a secret, and are not shown as they are.
_URLS = ("url", "rest_url", "proxy")
_SECRETS = ("headers", "urls", *_URLS)


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key is unknown, which one was probably meant, and which there are."""
    return f"{key}: unknown key{meant(key, known)} (known: {', '.join(known)})"


def meant(name: str, known: Sequence[str]) -> str:
    """Ask whether the nearest of the known names was meant; empty where none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


def shown(value: object) -> str:
    """Write a value as TOML would, cut to a readable length."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def problems_of(error: ValidationError, known: Sequence[str]) -> list[str]:
    """Turn pydantic's findings on one section into lines.

    Parameters
    ----------
    error
        What the section's model raised.
    known
        The section's keys.

    Returns
    -------
    list of str
        `key: what is wrong`, at most one per key.
    """
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        key = _key(detail["loc"])
        lines.setdefault(key, _line(key, detail, known))
    return list(lines.values())


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for step in location:
        key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else step
    return key


def _line(key: str, detail: ErrorDetails, known: Sequence[str]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return unknown_key(key, known)
    if kind == "missing":
        return ", ".join(filter(None, (f"{key}: is required", _REQUIRED.get(key))))
    if kind == "value_error":
        wrong = str(detail["ctx"]["error"])
    elif kind in _WORDS:
        wrong = _WORDS[kind]
    else:  # pydantic's own words name what is allowed: the choices, the bound
        wrong = detail["msg"].removeprefix("Input ").removeprefix("String ")
    value = detail["input"]
    first = str(detail["loc"][0]) if detail["loc"] else ""
    if first in _URLS and isinstance(value, str):
        value = shown_url(value)
    elif first in _SECRETS:
        return f"{key}: {wrong}"
    return f"{key}: is {shown(value)}, {wrong}"
