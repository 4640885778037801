"""From a venue's book rule to what keeps its rule where messages are decoded."""

from __future__ import annotations

from tickwire.book import BookChecksums, BookFollower, BookSplice
from tickwire.feed.plan.plans import SourcePlan
from tickwire.venues import BookRule, Venue


def counted_at(venue: Venue) -> str:
    """Give where every message of a connection has its number; empty where none is counted."""
    return "" if venue.book is None else venue.book.chain.path


def follower_of(rule: BookRule) -> BookFollower:
    """Make what follows books; one that begins by REST is followed from its first change on."""
    chain, begin = rule.chain, rule.begin.kind
    return BookFollower(
        chain.kind, "empty" if begin == "rest" else begin, step=chain.step, restart=chain.restart
    )


def checksums_of(rule: BookRule, channel: str) -> BookChecksums | None:
    """Make what verifies the books of a channel; None where the venue has no checksum."""
    crc = rule.chain.crc
    if crc is None:
        return None
    return BookChecksums(
        crc.levels,
        interleaved=crc.order == "interleaved",
        plain=crc.text == "plain",
        separator=crc.separator,
        learns=crc.decimals == "learned",
        depth=rule.depth_of(channel),
    )


def kernels_of(
    source: SourcePlan, hold_bytes: int
) -> tuple[BookSplice | None, BookFollower | None, BookChecksums | None]:
    """Make what a source's books need: the splice of REST snapshots, or what follows them."""
    rule = source.venue.book
    if rule is None or not (source.spliced or rule.chain.path):
        return None, None, None
    if rule.begin.kind == "rest":
        return BookSplice(rule.rule, hold_bytes), None, None
    channels = {each.channel for plan in source.connections for each in plan.subscriptions}
    spliced = [name for name in sorted(channels) if source.venue.is_spliced(name)]
    # A source has one such channel at most.
    return None, follower_of(rule), checksums_of(rule, spliced[0]) if spliced else None
