"""What is wrong with a venue's declaration, found when it is made.

Rules of this file
------------------
- Nothing that a venue's functions do is tried here: `plan` checks what they give, because only then
  channels and symbols are known.
- All mistakes are collected, so that a person sees them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from string import Formatter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tickwire.decode.flatten import Flat
from tickwire.decode.plan import Message
from tickwire.decode.program import Program
from tickwire.errors import PlanError
from tickwire.ring import Dictionaries
from tickwire.schema import DATA_TABLES as NAMES
from tickwire.schema import TABLES, Column, Table
from tickwire.venues._book_checks import book_mistakes
from tickwire.venues._oracle import oracle_mistakes
from tickwire.wire.handshake import build_request
from tickwire.wire.url import parse_url

if TYPE_CHECKING:
    from tickwire.venues.base import Venue

BACKFILL_NAMES = {"symbol", "limit", "first_id"}  # in the braces of a path
DATA_TABLES = {name: TABLES[name] for name in NAMES}


def check_venue(venue: Venue) -> None:
    """Refuse a declaration that cannot work.

    Raises
    ------
    PlanError
        With a line for each mistake: venue, field, what is wrong and what is allowed.
    """
    problems = [f"{venue.name}: {problem}" for problem in _mistakes(venue)]
    if not problems:
        problems = _uncompilable(venue)
    if problems:
        raise PlanError("\n".join(problems))


def _mistakes(venue: Venue) -> Iterator[str]:
    if not isinstance(venue.name, str) or not venue.name or not venue.name.isprintable():
        yield f"name: is {venue.name!r}, should be printable text"
    for name in ("subscribe", "reply"):
        if not callable(getattr(venue, name)):
            yield f"{name}: should be a function"
    for name in ("aliases", "instruments", "spell", "spell_user", "unsubscribe"):
        given = getattr(venue, name)
        if given is not None and not callable(given):
            yield f"{name}: should be a function"
    if venue.instruments is not None and not venue.rest_url:
        yield "rest_url: is required with instruments"
    if venue.before is not None and not venue.rest_url:
        yield "rest_url: is required with before"
    if venue.before is not None and not venue.before.path.startswith("/"):
        yield f"before.path: is {venue.before.path!r}, should begin with /"
    try:
        build_request(parse_url("ws://host/"), "", headers=venue.headers.items())
    except (ValueError, TypeError, AttributeError) as error:
        yield f"headers: {error}"
    if isinstance(venue.hello, str) or not all(
        each and isinstance(each, str) for each in venue.hello
    ):
        yield 'hello: should be a tuple of texts, such as ("{...}",)'
    if venue.verified:
        try:
            date.fromisoformat(venue.verified)
        except (TypeError, ValueError):
            yield f"verified: is {venue.verified!r}, should be a date such as '2026-08-09', or None"
    names = [channel.name for channel in venue.channels]
    for name in venue.unverified:
        if name not in names:
            yield f"unverified: {name!r} is none of the channels"
    if venue.unverified and not venue.verified:
        yield "unverified: names what a date in verified does not stand for, so it needs one"
    if venue.frames not in ("plain", "gzip", "deflate"):
        yield f"frames: is {venue.frames!r}, should be 'plain', 'gzip' or 'deflate'"
    yield from _endpoint_mistakes(venue)
    yield from _pace_mistakes(venue)
    yield from _extra_mistakes(venue)
    yield from _message_mistakes(venue)
    yield from _channel_mistakes(venue)
    yield from book_mistakes(venue)
    yield from oracle_mistakes(venue)
    yield from _backfill_mistakes(venue)


def _endpoint_mistakes(venue: Venue) -> Iterator[str]:
    if not isinstance(venue.endpoints, Mapping) or not venue.endpoints:
        yield 'endpoints: should be names and URLs, such as {"main": "wss://host/path"}'
        return
    for name, url in venue.endpoints.items():
        try:
            parse_url(url)
        except (ValueError, TypeError, AttributeError) as error:
            yield f"endpoints[{name!r}]: {error}"
    if venue.rest_url:
        try:
            parts = urlsplit(venue.rest_url)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
        except (ValueError, AttributeError):
            is_url = False
        if not is_url:
            yield "rest_url: should be a URL with http:// or https:// and a host"


def _pace_mistakes(venue: Venue) -> Iterator[str]:
    heartbeat, limits = venue.heartbeat, venue.limits
    if heartbeat.kind not in ("ping", "text", "none"):
        yield f"heartbeat.kind: is {heartbeat.kind!r}, should be 'ping', 'text' or 'none'"
    if heartbeat.kind == "text" and not heartbeat.payload:
        yield "heartbeat.payload: is empty, should be the text to send"
    if heartbeat.kind != "none" and heartbeat.every_s <= 0:
        yield f"heartbeat.every_s: is {heartbeat.every_s:g}, should be above 0"
    if heartbeat.timeout_s < 0:
        yield f"heartbeat.timeout_s: is {heartbeat.timeout_s:g}, should be 0 (never) or more"
    for name in ("subscriptions_per_connection", "subscriptions_per_request"):
        if getattr(limits, name) < 1:
            yield f"limits.{name}: is {getattr(limits, name)}, should be at least 1"
    for name in (
        "requests_per_s",
        "total_requests_per_s",
        "connects_per_min",
        "rest_per_min",
        "backfills_per_min",
        "max_age_s",
    ):
        if getattr(limits, name) < 0:
            yield f"limits.{name}: is {getattr(limits, name)}, should be 0 (no limit) or more"


def _extra_mistakes(venue: Venue) -> Iterator[str]:
    for table, columns in venue.extras.items():
        if table not in DATA_TABLES:
            yield f"extras: no table {table!r}, one of {', '.join(DATA_TABLES)}"
            continue
        canonical = {column.name for column in DATA_TABLES[table].columns}
        for column in columns:
            if not isinstance(column, Column):
                yield f"extras[{table!r}]: {column!r} is no Column"
            elif column.name in canonical:
                yield f"extras[{table!r}]: {column.name!r} is a column of the table already"
            elif not column.nullable:
                yield f"extras[{table!r}]: {column.name!r} should be nullable"


def _message_mistakes(venue: Venue) -> Iterator[str]:
    for message in venue.messages:
        if not isinstance(message, Message):
            yield f"messages: {message!r} was not made by message(...)"


def _channel_mistakes(venue: Venue) -> Iterator[str]:
    fed = {
        rows.into
        for message in venue.messages
        if isinstance(message, Message)
        for rows in message.rows
    }
    names = [channel.name for channel in venue.channels]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"channel {name!r}: is declared twice"
    for channel in venue.channels:
        where = f"channel {channel.name!r}"
        if channel.table not in DATA_TABLES:
            yield f"{where}: no table {channel.table!r}, one of {', '.join(DATA_TABLES)}"
        elif channel.table not in fed:
            yield f"{where}: no message gives rows of {channel.table}"
        if not callable(channel.subscriptions):
            yield f"{where}: subscriptions should be a function"
        if (":<" in channel.name) != bool(channel.arguments):
            yield f"{where}: a family has a name such as 'candles:<interval>', and arguments"
        if channel.of_users and venue.spell_user is None:
            yield f"{where}: is of users, so the venue needs spell_user"
        if channel.of_users and channel.wildcard:
            yield f"{where}: is of users, so '*' names none"
        if channel.spliced and venue.book is None:
            yield f"{where}: is spliced, so the venue needs a book rule"
        poorer = venue.channel(channel.poorer) if channel.poorer else None
        if channel.poorer and (poorer is None or poorer is channel):
            yield f"{where}.poorer: no other channel {channel.poorer!r}"
        elif poorer is not None and (poorer.table != channel.table or poorer.spliced):
            yield f"{where}.poorer: {channel.poorer!r} should feed {channel.table}, unspliced"


def _backfill_mistakes(venue: Venue) -> Iterator[str]:
    if venue.backfills and not venue.rest_url:
        yield "rest_url: is required, for trades that were missed"
    channels = {channel.name: channel.table for channel in venue.channels}
    for rule in venue.backfills:
        where = f"backfills[{rule.channel!r}]"
        if channels.get(rule.channel) != "trades":
            yield f"{where}: should be a channel of trades, no family"
        names = _names(rule.path)
        if not rule.path.startswith("/") or not {"symbol", "limit"} <= names <= BACKFILL_NAMES:
            yield f"{where}.path: should be /... of {{symbol}}, {{limit}}, maybe {{first_id}}"
        if rule.limit < 1:
            yield f"{where}.limit: is {rule.limit}, should be at least 1"
        decodes = [
            {rows.into for rows in message.rows}
            for message in venue.messages
            if isinstance(message, Message)
            and message.kind == "backfill"
            and message.name == rule.message
        ]
        if decodes != [{"trades"}]:
            yield f"{where}.message: no message {rule.message!r} of kind 'backfill' gives trades"


def _names(path: str) -> set[str]:
    """Give what stands in braces; an empty one where they do not match."""
    try:
        return {name or "" for _, name, _, _ in Formatter().parse(path) if name is not None}
    except ValueError:
        return {""}


def _uncompilable(venue: Venue) -> list[str]:
    """Compile the messages, with all columns that they can have; give what that refuses."""
    tables = {
        name: table.with_extras(venue.extras.get(name, ())) for name, table in DATA_TABLES.items()
    }
    together = _refusal(venue, venue.messages, tables)
    if not together:
        return []
    alone = [_refusal(venue, (message,), tables) for message in venue.messages]
    return list(dict.fromkeys(filter(None, alone))) or [together]


def _refusal(venue: Venue, messages: tuple[Message, ...], tables: dict[str, Table]) -> str:
    try:
        Flat(Program(venue.name, messages, tables), Dictionaries())
    except PlanError as error:
        return str(error)
    return ""
