"""What books are verified by while a feed runs: their chain, and the oracle of their venue."""

from __future__ import annotations

from typing import Any

from tickwire.config import Source
from tickwire.venues import Venue

SIDES = ("bid", "ask")


def verifies(venue: Venue, channel: str) -> tuple[bool, bool, int]:
    """Say how the books of a channel are kept.

    Parameters
    ----------
    venue
        Its declaration.
    channel
        As the configuration names it.

    Returns
    -------
    tuple of bool, bool and int
        Whether it is noticed that a change is missing; whether a book begins without a snapshot;
        how many levels of each side the client keeps, 0: all.
    """
    rule = venue.book
    if rule is None or not venue.is_spliced(channel):
        return False, False, 0
    return rule.chain.kind != "none", rule.begin.kind == "empty", rule.depth_of(channel)


def with_oracle(settings: Source, venue: Venue) -> Source:
    """Give a source that asks for the oracle of its books, too.

    Parameters
    ----------
    settings
        The source's.
    venue
        Its venue.
    """
    if venue.oracle is None:
        return settings
    wanted = [venue.oracle.channel, *([venue.oracle.depth] if venue.oracle.is_by_time else [])]
    missing = [name for name in wanted if name not in settings.channels]
    if not missing or not any(map(venue.is_spliced, settings.channels)):
        return settings
    return settings.model_copy(update={"channels": [*settings.channels, *missing]})


def watch_rule(venue: Venue, channel: str) -> tuple[int, int, bool] | None:
    """Say how the books of a channel are watched, as `BookOracle.bind` takes it."""
    if venue.oracle is None or not venue.is_spliced(channel):
        return None
    oracle = venue.oracle
    return round(oracle.lasting_s * 1e9), oracle.quotes, oracle.is_by_time


def shown_levels(venue: Venue, channel: str) -> int:
    """Say how many levels of each side a channel has whose messages show other books' best; or 0.

    Parameters
    ----------
    venue, channel
        As of `watch_rule`.
    """
    declared = venue.channel(channel)
    if venue.oracle is None or declared is None or declared.name != venue.oracle.depth:
        return 0
    return venue.oracle.levels or int(channel.partition(":")[2])


def difference(book: tuple[float, ...], oracle: tuple[float, ...]) -> str:
    """Put in words what a book has otherwise than its oracle."""

    def shown(top: tuple[float, ...]) -> str:
        pairs = zip(SIDES, (top[:2], top[2:]), strict=True)
        return ", ".join(f"{side} {size:g} at {price!r}" for side, (price, size) in pairs)

    if book == oracle:
        return "a level behind the best of the book is not as its oracle has it"
    return f"the book has {shown(book)}; its oracle {shown(oracle)}"


def counted(counts: tuple[int, int] | None) -> dict[str, Any]:
    """Give the columns of `books` that say how often a book was compared."""
    checked, mismatched = counts or (None, None)
    return {"oracle_checked": checked, "oracle_mismatched": mismatched}
