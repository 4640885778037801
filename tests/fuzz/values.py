"""Scalars: numbers against `float`, strings against `json.loads`, times against `datetime`."""

from __future__ import annotations

import json
import struct

from tests.decode.model import NUMBER, RefusedError, _time, rfc3339_ns

from tickwire.decode import _values

MAX_DEPTH = 512
UNITS = (1, 1_000, 1_000_000, 1_000_000_000)


def numbers(data: bytes) -> None:
    """A text as float64, int64, count of time and RFC 3339 time."""
    text = data.decode("latin-1")
    is_number = NUMBER.fullmatch(text) is not None
    found = _values.parse_number(data)
    if is_number:
        assert found is not None
        assert struct.pack("<d", found) == struct.pack("<d", float(text))
    else:
        assert found is None
    is_whole = is_number and text.removeprefix("-").isdigit() and len(text) < 1000
    value = int(text) if is_whole else None
    if value is not None and abs(value) >= 2**63:
        value = None
    assert _values.parse_integer(data) == value
    if len(text) < 1000:
        for unit_ns in UNITS:
            assert _values.parse_time(data, unit_ns) == _time_or_none(text, unit_ns)
    assert _values.parse_rfc3339(data) == rfc3339_ns(text)


def _time_or_none(text: str, unit_ns: int) -> int | None:
    try:
        return _time(text, unit_ns)
    except RefusedError:
        return None


def strings(data: bytes) -> None:
    """A JSON string, a value that is skipped, and the vector code that finds their ends."""
    for start in {0, min(1, len(data)), len(data) // 2}:
        string_stop, portable, structure, portable_structure = _values.stops(data, start)
        assert string_stop == portable
        assert structure == portable_structure
    n = _values.skip_value(data)
    assert n is None or 0 < n <= len(data)
    if data[:1] in (b"[", b"{") and b'"' not in data:
        assert n == _bracketed(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        value, end = None, -1
    if isinstance(value, (dict, list)) and _depth(text) <= MAX_DEPTH:
        # What is skipped is not looked at closely, so it may be more than JSON; never less.
        assert n == len(text[:end].encode())
    if text[:1] == '"':
        whole = end == len(text)
        assert (n == len(data)) >= whole
        found = _values.parse_string(data)
        if not whole or not isinstance(value, str) or any("\ud800" <= c < "\ue000" for c in value):
            assert found is None
        else:
            assert found == value.encode()
    elif n is not None and n == len(data):
        assert _values.parse_string(data) is None


def _depth(text: str) -> int:
    return text.count("[") + text.count("{")


def _bracketed(data: bytes) -> int | None:
    """Length of the value in brackets at the start; None where they do not match or nest deep."""
    open_brackets = b""
    for at, byte in enumerate(data):
        if byte in b"[{":
            open_brackets += bytes([byte])
            if len(open_brackets) > MAX_DEPTH:
                return None
        elif byte in b"]}":
            if open_brackets[-1] != byte - 2:  # in ASCII, two before
                return None
            open_brackets = open_brackets[:-1]
            if not open_brackets:
                return at + 1
    return None
