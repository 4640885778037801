"""Finds venues by name, and turns channels and symbols into subscriptions and connections.

Rules of this file
------------------
- A module of this package declares one venue or several in its tuple `VENUES`. The venue
  `binance-usdm` is looked for in `binance_usdm`, then in `binance`.
- Problems are collected, so that a user sees all of them at once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import tickwire.venues as package
from tickwire.errors import ConfigError
from tickwire.venues.base import Channel, Subscription, Venue


def _modules() -> list[str]:
    return sorted(
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_") and module.name != "base"
    )


def _venues(module: str) -> tuple[Venue, ...]:
    found = importlib.import_module(f"{package.__name__}.{module}").VENUES
    return tuple(found)


def names() -> list[str]:
    """Give the names of all venues there are, sorted."""
    return sorted(venue.name for module in _modules() for venue in _venues(module))


def load(name: str) -> Venue:
    """Give the venue of that name.

    Raises
    ------
    ConfigError
        Where there is none; its text lists those there are.
    """
    whole = name.replace("-", "_")
    known = _modules()
    for module in (whole, whole.partition("_")[0]):
        if module in known:
            for venue in _venues(module):
                if venue.name == name:
                    return venue
    raise ConfigError([f"unknown venue {name!r}: one of {', '.join(names())}"])


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


def plan(venue: Venue, channels: Sequence[str], symbols: Sequence[str]) -> list[Subscription]:
    """Give the subscriptions that the channels of these symbols need, each once.

    Parameters
    ----------
    venue
        Whose.
    channels, symbols
        As the configuration has them.

    Raises
    ------
    ConfigError
        With a line for each channel that the venue lacks (and those it has), each one that cannot
        take `*`, and each clash between channels.
    """
    problems = [] if channels else [f"{venue.name}: no channels given"]
    if not symbols:
        problems.append(f"{venue.name}: no symbols given")
    problems += [f"{venue.name}: empty symbol" for symbol in symbols if not symbol.strip()]
    found: list[tuple[str, Channel]] = []
    for name in dict.fromkeys(channels):
        channel = venue.channel(name)
        if channel is None:
            problems.append(_unknown_channel(venue, name))
            continue
        found.append((name, channel))
        if "*" in symbols and not channel.wildcard:
            allowed = [other.name for other in venue.channels if other.wildcard]
            problems.append(
                f"{venue.name}: channel {name!r} needs symbols; '*' is possible for "
                f"{', '.join(allowed) or 'none of its channels'}"
            )
    problems += _book_clashes(venue, found)
    if problems:
        raise ConfigError(problems)
    # `*` covers the other symbols; without it, each symbol of each channel.
    asked = ["*"] if "*" in symbols else list(dict.fromkeys(symbols))
    return _each_once(
        subscription
        for name, channel in found
        for symbol in asked
        for subscription in channel.subscriptions(name, symbol)
    )


def _unknown_channel(venue: Venue, name: str) -> str:
    known = channel_names(venue)
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
    kept: dict[tuple[str, str, str], Subscription] = {}
    for subscription in subscriptions:
        kept.setdefault((subscription.endpoint, subscription.group, subscription.key), subscription)
    return list(kept.values())


def connections(venue: Venue, subscriptions: Sequence[Subscription]) -> list[list[Subscription]]:
    """Divide subscriptions among connections.

    Each connection has one endpoint and one group, and no more subscriptions than the venue's
    `limits.subscriptions_per_connection`; the order is kept.
    """
    by_kind: dict[tuple[str, str], list[Subscription]] = {}
    for subscription in subscriptions:
        by_kind.setdefault((subscription.endpoint, subscription.group), []).append(subscription)
    most = venue.limits.subscriptions_per_connection
    return [
        kind[start : start + most]
        for kind in by_kind.values()
        for start in range(0, len(kind), most)
    ]
