"""Whether venues have the symbols that they are asked for, by their own lists.

Rules of this file
------------------
- A symbol that a venue does not list is an error that names the nearest one listed. A list that
  cannot be had is a warning, and stops nothing.
- Where `url` names another server and `rest_url` does not, nothing is asked: the venue's own list
  says nothing of that server.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

from tickwire.errors import ConfigError, TickwireError
from tickwire.feed.plan.endpoints import request_url
from tickwire.feed.plan.plans import SourcePlan
from tickwire.logs import get_logger
from tickwire.venues import Instrument, InstrumentQuery

_log = get_logger("tickwire.feed")

MOST_NAMED = 20  # unknown symbols of a source


class Rest(Protocol):
    """What fetches a list."""

    async def get(self, url: str, body: str | None = None) -> tuple[bytes, int]:
        """Give the body and the wall clock at its arrival, ns."""


InThread = Callable[..., Coroutine[Any, Any, list[Instrument]]]  # of a function and its arguments


async def check_symbols(
    sources: Sequence[SourcePlan],
    rest_of: Callable[[SourcePlan], Rest],
    in_thread: InThread = asyncio.to_thread,
) -> list[str]:
    """Look the symbols of all sources up.

    Parameters
    ----------
    sources
        In the order of the configuration.
    rest_of
        Gives what fetches the lists of a source's venue.
    in_thread
        Runs a function in a thread: a feed's within its slots for CPU-heavy work.

    Returns
    -------
    list of str
        A line for each list that could not be had; logged as well.

    Raises
    ------
    ConfigError
        With a line for each symbol that its venue does not list.
    """
    problems: list[str] = []
    failures: list[str] = []
    lists: dict[tuple[object, ...], frozenset[str] | TickwireError] = {}
    for number, source in enumerate(sources):
        queries = queries_of(source)
        if not queries:
            continue
        key = (source.venue.name, source.rest_url, *((each.path, each.body) for each in queries))
        if key not in lists:
            try:
                found = await listed(queries, source.rest_url, rest_of(source), in_thread)
                lists[key] = frozenset(found)
            except TickwireError as error:
                lists[key] = error
                failures.append(f"symbols of {source.venue.name} not checked: {error}")
                _log.warning("symbols not checked", venue=source.venue.name, error=str(error))
        known = lists[key]
        if isinstance(known, frozenset):
            problems += _problems(number, source, known)
    if problems:
        raise ConfigError(problems)
    return failures


def queries_of(source: SourcePlan) -> Sequence[InstrumentQuery]:
    """Give the requests for the list of a source's venue; none where nothing is to be checked."""
    settings = source.settings
    symbols = [each for each in settings.symbols if each != "*"]
    if not settings.check_symbols or source.is_elsewhere or not symbols:
        return ()
    return source.venue.instruments(symbols) if source.venue.instruments is not None else ()


async def listed(
    queries: Sequence[InstrumentQuery],
    rest_url: str,
    rest: Rest,
    in_thread: InThread = asyncio.to_thread,
) -> dict[str, Instrument]:
    """Ask a venue for what it trades.

    Parameters
    ----------
    queries, rest_url
        What is asked, and where.
    rest, in_thread
        As of `check_symbols`.

    Returns
    -------
    dict
        Instruments by the venue's symbol; at least one.

    Raises
    ------
    TickwireError
        A list cannot be had or read, or they are empty.
    """
    found: dict[str, Instrument] = {}
    left = deque(queries)
    while left:
        query = left.popleft()
        payload, _ = await rest.get(request_url(rest_url, query.path), query.body)
        try:
            # A list may have 10 MB: the loop goes on meanwhile.
            for each in await in_thread(_read, query, payload):
                found[each.symbol] = each
            left.extend(query.more(payload) if query.more is not None else ())
        except Exception as error:  # what comes from the network may have any shape
            raise TickwireError(f"{query.path}: not understood ({error!r})") from error
    if not found:
        raise TickwireError("the list is empty")
    return found


def _read(query: InstrumentQuery, payload: bytes) -> list[Instrument]:
    return [
        each if isinstance(each, Instrument) else Instrument(str(each))
        for each in query.read(payload)
    ]


def _problems(number: int, source: SourcePlan, known: frozenset[str]) -> list[str]:
    unknown = [each for each in source.settings.symbols if each != "*" and each not in known]
    lines = []
    for symbol in unknown[:MOST_NAMED]:
        near = nearest(symbol, known)
        hint = f", did you mean {near!r}?" if near else ""
        lines.append(f"source[{number}].symbols: {source.venue.name} has no {symbol!r}{hint}")
    if len(unknown) > MOST_NAMED:
        more = len(unknown) - MOST_NAMED
        lines.append(f"source[{number}].symbols: {more} more are unknown to {source.venue.name}")
    return lines


def nearest(symbol: str, listed: Iterable[str]) -> str | None:
    """Give the listed symbol that was probably meant.

    Others write `BTC/USDT`, `BTC-USDT-PERP` or `BTC/USDT:USDT` for what a venue calls `BTCUSDT`, or
    `BTC` alone.

    Parameters
    ----------
    symbol
        That is not listed.
    listed
        The venue's.
    """
    plain = {_plain(each): each for each in sorted(listed, reverse=True)}
    parts = [_plain(part) for part in re.split(r"[-/:_]", symbol) if part]
    for meant in (_plain(symbol), "".join(parts[:2]), "".join(parts[:1])):
        if meant in plain:
            return plain[meant]
    near = get_close_matches(_plain(symbol), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _plain(symbol: str) -> str:
    return "".join(character for character in symbol.upper() if character.isalnum())
