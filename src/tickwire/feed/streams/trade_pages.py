"""Answers of REST with trades, taken apart: the id of each, and its text as the venue wrote it."""

from __future__ import annotations

import json
import re

from tickwire.errors import DecodeError
from tickwire.ledger import MOST_ID

MOST_BYTES_A_TRADE = 4096  # of an answer
SHOWN_BYTES = 80  # of an answer that is none

_SPACE = re.compile(r"[ \t\r\n]*")
_DIGITS = re.compile(r"[0-9]{1,19}")


def trades_of(payload: bytes, id_key: str, limit: int) -> list[tuple[int, str]]:
    """Give id and text of each trade of an answer, by their ids: the first of each.

    Parameters
    ----------
    payload
        A JSON array of objects.
    id_key
        The member that is the id: a number, or its digits as a string.
    limit
        As many were asked for.

    Raises
    ------
    DecodeError
        It is something else, or has more.
    """
    found: dict[int, str] = {}
    try:
        if len(payload) > MOST_BYTES_A_TRADE * limit:
            raise ValueError(f"{len(payload)} bytes")
        text = payload.decode()
        read = json.JSONDecoder().raw_decode
        mark, at = _mark(text, 0, "[")
        if text[at] == "]":
            return []
        while mark != "]":
            start = at
            trade, at = read(text, at)
            number = trade[id_key]
            if isinstance(number, str) and _DIGITS.fullmatch(number):
                number = int(number)
            if type(number) is not int or not 0 <= number <= MOST_ID or len(found) == limit:
                raise ValueError(f"trade {number!r}")
            found.setdefault(number, text[start:at])
            mark, at = _mark(text, at, ",]")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        begin = payload[:SHOWN_BYTES].decode("utf-8", "replace")
        raise DecodeError("not_json", f"trades, which begin {begin!r}") from error
    return sorted(found.items())


def _mark(text: str, at: int, marks: str) -> tuple[str, int]:
    """Read one of a few marks and the space around it."""
    at = _space(text, at)
    if text[at] not in marks:
        raise ValueError(f"{text[at]!r} at {at}")
    return text[at], _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
