"""What a venue's books are held against while a feed runs: a channel that does not share the chain.

Rules of this file
------------------
- An oracle is data, made by the functions below; `tickwire.book.BookOracle` compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickwire.venues.base import Venue


@dataclass(frozen=True, slots=True)
class Oracle:
    """What books are held against; made by the functions below."""

    channel: str
    lasting_s: float = 0.0
    quotes: int = 0
    depth: str = ""
    levels: int = 0
    is_by_time: bool = False


def same_id(channel: str = "quotes", *, depth: str = "") -> Oracle:
    """Declare that best prices and sizes of the same `venue_seq` are equal.

    Parameters
    ----------
    channel
        Of the table `quotes`. What has an id that the book's messages do not have is not compared.
    depth
        A channel of the table `book`, `book:20` or `book:<levels>`, whose messages are the best
        levels as a whole, with ids of the same kind. It is compared where a source has it.
    """
    return Oracle(channel, depth=depth)


def same_time(depth: str, *, levels: int) -> Oracle:
    """Declare that whole books of the same `ts_event` are equal: nothing is numbered.

    Parameters
    ----------
    depth
        A channel of the table `book` whose messages are the best levels as a whole. It is asked
        for with `verify = true`, and so is `quotes`, which is not compared.
    levels
        How many levels of each side they have.
    """
    return Oracle("quotes", depth=depth, levels=levels, is_by_time=True)


def lasting(channel: str = "quotes", *, seconds: float = 5.0, quotes: int = 10) -> Oracle:
    """Declare that best prices agree but for moments: the two have no number in common.

    A quote's price of a side must have been the book's within the last `seconds`, or be it before
    the next quote. A book is wrong where that has not been so for `seconds` and `quotes` quotes.

    Parameters
    ----------
    channel
        Of the table `quotes`.
    seconds, quotes
        How long and over how many quotes a disagreement must last, at least.
    """
    return Oracle(channel, seconds, quotes)


def oracle_mistakes(venue: Venue) -> Iterator[str]:
    """Give what is wrong with a venue's oracle."""
    oracle = venue.oracle
    if oracle is None:
        return
    if not isinstance(oracle, Oracle):
        yield f"oracle: is {oracle!r}, should be same_id(...), same_time(...) or lasting(...)"
        return
    if venue.book is None:
        yield "oracle: goes with a book rule"
    channel = venue.channel(oracle.channel)
    if channel is None or channel.table != "quotes":
        yield f"oracle: {oracle.channel!r} should be a channel of quotes"
    if oracle.depth and oracle.depth not in {each.name for each in venue.channels}:
        yield f"oracle: {oracle.depth!r} should be a channel"
    if (oracle.lasting_s > 0) != (oracle.quotes > 0):
        yield "oracle: a disagreement should last some seconds and some quotes"
    if oracle.is_by_time and oracle.levels < 1:
        yield f"oracle: same_time of {oracle.levels} levels, should be at least 1"
    numbered = any(
        "venue_seq" in rows.fields
        for message in venue.messages
        for rows in message.rows
        if rows.into == "quotes"
    )
    if not oracle.lasting_s and not oracle.is_by_time and not numbered:
        yield "oracle: same_id needs quotes with venue_seq"
