"""What is wrong with a venue's book rule, found when the venue is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from tickwire.decode.plan import Message, Rows
from tickwire.venues._book_rule import NEEDED, Begin, BookRule, Chain, Crc32, Repair

if TYPE_CHECKING:
    from tickwire.venues.base import Venue

MOST_LEVELS = 100  # of a checksum


def book_mistakes(venue: Venue) -> Iterator[str]:
    """Give what is wrong with the rule, and with the messages that it is for."""
    rule = venue.book
    if rule is None:
        return
    if not isinstance(rule, BookRule) or not isinstance(rule.chain, Chain):
        yield f"book: is {rule!r}, should be BookRule(chain=linked()) or the like"
        return
    if not isinstance(rule.begin, Begin):
        yield f"book.begin: is {rule.begin!r}, should be in_band(), rest(...) or the like"
        return
    yield from _chain_mistakes(rule.chain)
    if isinstance(rule.depth, int) and rule.depth < 0:
        yield f"book.depth: is {rule.depth}, should be 0 (all) or more"
    yield from _repair_mistakes(venue, rule)
    if rule.begin.kind == "rest":
        yield from _rest_mistakes(venue, rule)
    yield from _row_mistakes(venue, rule)


def _chain_mistakes(chain: Chain) -> Iterator[str]:
    if chain.kind not in NEEDED:
        yield f"book.chain: is {chain.kind!r}, one of {', '.join(NEEDED)}"
    if chain.kind == "counted" and chain.step < 1:
        yield f"book.chain: step is {chain.step}, should be at least 1"
    if chain.kind == "per_connection" and not chain.path:
        yield "book.chain: per_connection needs the path of the number"
    if chain.kind != "checksum":
        return
    if not isinstance(chain.crc, Crc32):
        yield f"book.chain: checksum of {chain.crc!r}, should be of crc32(...)"
    elif not 1 <= chain.crc.levels <= MOST_LEVELS:
        yield f"book.chain: crc32 of {chain.crc.levels} levels, should be 1 to {MOST_LEVELS}"


def _repair_mistakes(venue: Venue, rule: BookRule) -> Iterator[str]:
    if rule.repair not in get_args(Repair):
        yield f"book.repair: is {rule.repair!r}, one of {', '.join(get_args(Repair))}"
    if (rule.repair == "rest") != (rule.begin.kind == "rest"):
        yield "book.repair: 'rest' goes with begin=rest(...), and only with it"
    if rule.chain.kind == "per_connection" and rule.repair != "reconnect":
        yield "book.repair: should be 'reconnect', as the whole connection is counted"
    if rule.repair == "resubscribe" and venue.unsubscribe is None:
        yield "unsubscribe: is required with book.repair 'resubscribe'"


def _rest_mistakes(venue: Venue, rule: BookRule) -> Iterator[str]:
    if rule.chain.kind not in ("linked", "ranges"):
        yield f"book.chain: is {rule.chain.kind!r}, a REST snapshot needs linked() or ranges()"
    if not rule.begin.path.startswith("/") or "{symbol}" not in rule.begin.path:
        yield "book.begin: rest(path) should begin with / and hold {symbol}"
    if not venue.rest_url:
        yield "rest_url: is required, for snapshots of books"
    snapshots = [
        message
        for message in venue.messages
        if isinstance(message, Message)
        and message.kind == "snapshot"
        and message.name == rule.begin.message
    ]
    if not any("venue_seq" in rows.fields for message in snapshots for rows in message.rows):
        yield (f"book.begin: no message {rule.begin.message!r} of kind 'snapshot' gives venue_seq")


def _row_mistakes(venue: Venue, rule: BookRule) -> Iterator[str]:
    """Give the numbers that a spliced message lacks."""
    needed = NEEDED.get(rule.chain.kind, ())
    if rule.begin.kind == "rest":
        needed = ("first_seq", "venue_seq", "venue_prev_seq")
    for message in venue.messages:
        if not isinstance(message, Message) or not message.spliced:
            continue
        named = {name for rows in message.rows for name in _numbers_of(rows)}
        is_delta = any(not _is_snapshot(rows) for rows in message.rows)
        # A snapshot needs no more than its own number.
        for name in needed if is_delta else tuple({*needed} & {"venue_seq"}):
            if name not in named:
                yield f"message {message.name!r}: has no {name}, which the book rule needs"


def _is_snapshot(rows: Rows) -> bool:
    flag = rows.fields.get("is_snapshot")
    return flag is not None and flag.value is True


def _numbers_of(rows: Rows) -> set[str]:
    own = {"first_seq": rows.first_seq, "checksum": rows.checksum}
    return {*rows.fields, *(name for name, field in own.items() if field is not None)}
