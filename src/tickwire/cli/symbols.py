"""`tickwire symbols`: what a venue trades, and how it is called."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from tickwire.errors import ConfigError, TickwireError

if TYPE_CHECKING:
    from tickwire.venues import Instrument, Venue

HEAD = ("symbol", "name", "kind", "tick_size", "lot_size", "contract_size", "status")


def symbols(
    venue: Annotated[str, typer.Argument(help="A venue's name, or module:NAME.")],
    pattern: Annotated[
        str, typer.Argument(help="A part of a symbol or name, or a pattern with * and ?.")
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, all columns.")] = False,
    rest_url: Annotated[
        str, typer.Option(metavar="URL", help="Ask this server instead of the venue's.")
    ] = "",
) -> None:
    """List what a venue trades, by its own list.

    Exit code 1 where nothing fits; the nearest symbol is named.
    """
    import asyncio

    from tickwire.venues import load

    found = asyncio.run(instruments_of(load(venue, (Path.cwd(),)), rest_url))
    fitting = [each for each in found if fits(each, pattern)]
    if not fitting:
        raise TickwireError(nothing_fits(venue, pattern, found))
    if as_json:
        typer.echo(json.dumps([{"venue": venue, **each.shown()} for each in fitting], indent=1))
        return
    for line in table(fitting):
        typer.echo(line)


async def instruments_of(venue: Venue, rest_url: str = "") -> list[Instrument]:
    """Ask a venue for its list; sorted by symbol.

    Raises
    ------
    TickwireError
        It has none, or it cannot be had.
    """
    from tickwire.feed.plan.symbols import listed
    from tickwire.session import RestClient

    if venue.instruments is None:
        raise TickwireError(f"{venue.name} lists its symbols nowhere")
    url = rest_url or venue.rest_url
    try:
        is_url = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigError(["--rest-url: should be a URL with http:// or https:// and a host"])
    async with RestClient(per_min=venue.limits.rest_per_min) as rest:
        found = await listed(venue.instruments(()), url, rest)
    return [found[symbol] for symbol in sorted(found)]


def fits(instrument: Instrument, pattern: str) -> bool:
    """Whether a symbol or a name fits, whatever its letters' case."""
    wanted = pattern.upper()
    called = (instrument.symbol.upper(), instrument.name.upper())
    if "*" in wanted or "?" in wanted:
        return any(fnmatchcase(each, wanted) for each in called)
    return any(wanted in each for each in called)


def nothing_fits(venue: str, pattern: str, found: Sequence[Instrument]) -> str:
    """Say that nothing fits, and what is nearest."""
    from tickwire.feed.plan.symbols import nearest

    by_name = {each.name: each.symbol for each in found}
    near = nearest(pattern, [each.symbol for each in found]) or by_name.get(
        nearest(pattern, by_name) or ""
    )
    hint = f"; the nearest is {near!r}" if near else ""
    return f"{venue} has no symbol like {pattern!r} among {len(found)}{hint}"


def table(instruments: Sequence[Instrument]) -> Iterator[str]:
    """Give a line for each, in columns."""
    rows: list[tuple[str, ...]] = [HEAD]
    for each in instruments:
        shown = each.shown()
        rows.append(tuple("" if shown[key] is None else f"{shown[key]}" for key in HEAD))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    for row in rows:
        yield "  ".join(
            f"{text:<{width}}" for text, width in zip(row, widths, strict=True)
        ).rstrip()
