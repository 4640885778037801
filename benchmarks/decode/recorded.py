"""Messages as a venue sent them, from a capture that is no part of the repository."""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path

import zstandard

BOOKS = "hyperliquid/hlarchive-l2book-btc-20240101-12-a.jsonl.zst"


def missing() -> str | None:
    """Say why there are no recorded messages; None where there are."""
    root = os.environ.get("TICKWIRE_CAPTURES")
    if not root:
        return "TICKWIRE_CAPTURES does not say where the captures are"
    return None if (Path(root) / BOOKS).exists() else f"there is no {BOOKS} in {root}"


@cache
def _books() -> tuple[bytes, ...]:
    reason = missing()
    if reason is not None:
        raise FileNotFoundError(reason)
    path = Path(os.environ["TICKWIRE_CAPTURES"]) / BOOKS
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        return tuple(line.rstrip(b"\n") for line in io.BufferedReader(reader))


def book(number: int) -> bytes:
    """Give a snapshot of Hyperliquid's l2Book of BTC; they follow each other, then begin anew."""
    books = _books()
    return books[number % len(books)]
