"""Channels and symbols of a venue to subscriptions, and subscriptions to connections.

Rules of this file
------------------
- Problems are collected, so that a user sees all of them at once.
- What a venue's own functions give is checked here: it is another's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from tickwire.errors import ConfigError
from tickwire.venues.base import Channel, Subscription, Venue

LISTED = "instruments"  # the channel of what a venue lists
NO_SYMBOLS = "no symbols given"


def channel_names(venue: Venue) -> list[str]:
    """Give every channel name that a configuration may use, families written out."""
    found: list[str] = []
    for channel in venue.channels:
        if channel.arguments:
            family = channel.name.partition(":<")[0]
            found += [f"{family}:{argument}" for argument in channel.arguments]
        else:
            found.append(channel.name)
    return found


def plan(
    venue: Venue, channels: Sequence[str], symbols: Sequence[str], users: Sequence[str] = ()
) -> list[Subscription]:
    """Give the subscriptions that the channels of these symbols and users need, each once.

    Parameters
    ----------
    venue
        Whose.
    channels, symbols, users
        As the configuration has them; users as the venue spells them.

    Raises
    ------
    ConfigError
        With a line for each channel that the venue lacks (and those it has), each one that cannot
        take `*`, and each clash between channels.
    """
    problems = [] if channels else [f"{venue.name}: no channels given"]
    problems += [f"{venue.name}: empty symbol" for symbol in symbols if not symbol.strip()]
    found: list[tuple[str, Channel]] = []
    given = [venue.channel(name) for name in channels]
    if not symbols and (not given or any(each is None or not each.of_users for each in given)):
        problems.append(f"{venue.name}: {NO_SYMBOLS}")
    for name in dict.fromkeys(channels):
        if name == LISTED and venue.instruments is not None:
            continue  # its list comes by REST: there is nothing to subscribe to
        channel = venue.channel(name)
        if channel is None:
            problems.append(_unknown_channel(venue, name))
            continue
        found.append((name, channel))
        if channel.of_users and not users:
            problems.append(f"{venue.name}: channel {name!r} needs users")
        elif "*" in symbols and not channel.of_users and not channel.wildcard:
            allowed = [other.name for other in venue.channels if other.wildcard]
            problems.append(
                f"{venue.name}: channel {name!r} needs symbols; '*' is possible for "
                f"{', '.join(allowed) or 'none of its channels'}"
            )
    if users and not any(channel.of_users for _, channel in found):
        known = ", ".join(each.name for each in venue.channels if each.of_users)
        problems.append(f"{venue.name}: users are for channels {known or 'that it lacks'}")
    if not found and not problems:
        problems.append(f"{venue.name}: channel {LISTED!r} needs another one beside it")
    problems += _book_clashes(venue, found)
    if problems:
        raise ConfigError(problems)
    # `*` covers the other symbols; without it, each symbol of each channel.
    asked = ["*"] if "*" in symbols else list(dict.fromkeys(symbols))
    return _each_once(
        subscription
        for name, channel in found
        for symbol in (users if channel.of_users else asked)
        for subscription in _subscriptions(venue, channel, name, symbol)
    )


def _subscriptions(
    venue: Venue, channel: Channel, name: str, symbol: str
) -> Sequence[Subscription]:
    """Ask the venue's own function, and check what it gives."""
    where = f"{venue.name}: subscriptions of channel {name!r}"
    try:
        given = list(channel.subscriptions(name, symbol))
    except Exception as error:  # another's code
        raise ConfigError([f"{where} raised {type(error).__name__}: {error}"]) from error
    for subscription in given:
        if not isinstance(subscription, Subscription):
            raise ConfigError([f"{where} gave {subscription!r}, should give Subscription objects"])
        if subscription.endpoint not in venue.endpoints:
            known = ", ".join(venue.endpoints)
            wrong = f"{where}: no endpoint {subscription.endpoint!r}, one of {known}"
            raise ConfigError([wrong])
        if subscription.table != channel.table:
            wrong = f"{where} names table {subscription.table!r}, should be {channel.table!r}"
            raise ConfigError([wrong])
    return given


def _unknown_channel(venue: Venue, name: str) -> str:
    known = [*channel_names(venue), *([LISTED] if venue.instruments is not None else [])]
    near = get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"{venue.name} has no channel {name!r}{hint}: it has {', '.join(known)}"


def _book_clashes(venue: Venue, found: Sequence[tuple[str, Channel]]) -> list[str]:
    spliced = [name for name, channel in found if channel.spliced]
    if len(spliced) < 2:
        return []
    return [
        f"{venue.name}: channels {' and '.join(map(repr, spliced))} exclude each other: a source "
        "follows one chain of book updates; use a source for each"
    ]


def _each_once(subscriptions: Iterable[Subscription]) -> list[Subscription]:
    kept: dict[tuple[str, str, str, str], Subscription] = {}
    for subscription in subscriptions:
        place = (subscription.endpoint, subscription.group, subscription.key, subscription.table)
        kept.setdefault(place, subscription)
    return list(kept.values())


def connections(venue: Venue, subscriptions: Sequence[Subscription]) -> list[list[Subscription]]:
    """Divide subscriptions among connections.

    Each connection has one endpoint and one group, and no more subscriptions than the venue's
    `limits.subscriptions_per_connection`; the order is kept. What does not say whose it is has a
    connection for each symbol.
    """
    by_kind: dict[tuple[str, str, str], list[Subscription]] = {}
    for each in subscriptions:
        own = "" if each.names_symbol else each.symbol
        by_kind.setdefault((each.endpoint, each.group, own), []).append(each)
    most = venue.limits.subscriptions_per_connection
    return [
        kind[start : start + most]
        for kind in by_kind.values()
        for start in range(0, len(kind), most)
    ]
