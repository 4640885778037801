"""What a run or a replay came to: what of it is worth a warning, and what fails `--strict`.

Rules of this file
------------------
- A capture of another venue, or junk, decodes to nothing without an error: so it is looked for.
- Which streams had rows is known where gaps are decided, from the rings: no row is read for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickwire.schema import SYSTEM_TABLES
from tickwire.wording import counted

if TYPE_CHECKING:
    from tickwire.feed.handler import FeedHandler
    from tickwire.feed.plan.plans import FeedPlan

MOST_LOST = 0.01  # of all messages, before it is worth a warning
MOST_NAMED = 5  # streams in one line


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """What a source is to bring."""

    venue: str
    table: str
    symbol: str  # "*": any

    def __str__(self) -> str:
        return f"{self.table} of {self.venue} {self.symbol}"


def decoding_problems(
    summary: Mapping[str, Any], *, n_messages: int | None = None, n_unknown: int | None = None
) -> list[str]:
    """Say where nothing, or less than 99 %, of what came was decoded.

    Parameters
    ----------
    summary
        Of the run.
    n_messages, n_unknown
        Instead of the summary's, where several sources have read the same messages: those played,
        and those that no source knew.
    """
    n_messages = summary["messages"] if n_messages is None else n_messages
    n_unknown = summary["unknown_messages"] if n_unknown is None else n_unknown
    n_errors = sum(summary["decode_errors"].values())
    if n_messages == 0:
        return ["no message came"]
    counts = [
        (n_unknown, "unknown message", ""),
        (n_errors, "message", " that could not be decoded"),
        (summary["unrequested_messages"], "message", " of other tables"),
        (sum(summary["unconfigured_rows"].values()), "row", " of symbols that are not configured"),
    ]
    causes = [counted(n, what) + which for n, what, which in counts if n]
    came = counted(n_messages, "message")
    if not any(n for table, n in summary["rows"].items() if table not in SYSTEM_TABLES):
        found = ", ".join(causes) or "none of them has a row"
        return [f"nothing was decoded of {came}: {found}"]
    return [
        f"{n:,} of {came} ({n / n_messages:.1%}) {what}"
        for n, what in (
            (n_unknown, "is unknown" if n_unknown == 1 else "are unknown"),
            (n_errors, "could not be decoded"),
        )
        if n > MOST_LOST * n_messages
    ] or (
        [f"less than 99 % of {came} was decoded: {', '.join(causes)}"]
        if n_unknown + n_errors > MOST_LOST * n_messages
        else []
    )


def planned_streams(plan: FeedPlan) -> set[Stream]:
    """Give what all sources are to bring; nothing may have happened to a user."""
    return {
        Stream(source.venue.name, subscription.table, symbol)
        for source in plan.sources
        for connection in source.connections
        for subscription in connection.subscriptions
        if not source.is_of_users(subscription)
        # One subscription may cover symbols by name, as Hyperliquid's of all mids.
        for symbol in (
            source.settings.symbols if subscription.symbol == "*" else (subscription.symbol,)
        )
    }


def silent_streams(feed: FeedHandler) -> list[Stream]:
    """Give the planned streams of a feed that has run and that had no row of them."""
    seen: set[Stream] = set()
    pipeline = feed.pipeline
    sources = () if pipeline is None else pipeline.sources
    venues = {source.plan.venue.name for source in sources}
    for source in sources:
        # Sources of a replay may share its connections, and do not know whose a row is.
        names = venues if feed.is_replay else {source.plan.venue.name}
        for table, symbol in source.gaps.delivered():
            seen.update(Stream(venue, table, each) for venue in names for each in (symbol, "*"))
    return sorted(planned_streams(feed.plan) - seen)


def stream_problems(summary: Mapping[str, Any], silent: list[Stream]) -> list[str]:
    """Say which sources never connected, which streams had no row, and what stayed refused."""
    problems = [f"never connected: {source}" for source in summary["never_connected"]]
    if silent:
        problems.append(f"no message: {_some(silent)}")
    refusals = summary["refusals"]
    if refusals:
        n_refused = summary["refused_subscriptions"]
        problems.append(f"{counted(n_refused, 'subscription')} stayed refused: {_some(refusals)}")
    return problems


def _some(things: Sequence[object]) -> str:
    """Name some of them."""
    more = f" and {len(things) - MOST_NAMED} more" if len(things) > MOST_NAMED else ""
    return ", ".join(map(str, things[:MOST_NAMED])) + more
