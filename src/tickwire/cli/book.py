"""`tickwire book`: an order book of a running feed, or as a capture leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from tickwire.errors import ConfigError, TickwireError

CAPTURES = (".jsonl", ".jsonl.zst")


def book(
    origin: Annotated[
        str,
        typer.Argument(
            metavar="FEED|CAPTURE",
            help="A running feed, as for `status`, or a capture: .jsonl or .jsonl.zst.",
        ),
    ],
    symbol: Annotated[str, typer.Argument(help="Such as BTC-USDT, or the venue's own.")],
    venue: Annotated[
        str | None,
        typer.Option(
            help="The venue; of a capture it must be given, of a feed where it has several"
        ),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="Such as book:20; left out: book, or a feed's first.")
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Levels of each side.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show an order book; exit code 1 where there is none."""
    if origin.endswith(CAPTURES):
        found = _replayed(Path(origin), symbol, venue, channel or "book", depth)
    else:
        found = _asked(origin, symbol, venue, channel, depth)
    typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines_of(found)))


def _asked(
    feed: str, symbol: str, venue: str | None, channel: str | None, depth: int
) -> dict[str, Any]:
    """Ask a running feed."""
    from tickwire.cli.status import asked, places

    given = {"symbol": symbol, "venue": venue, "channel": channel, "depth": depth}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    for connection in places(feed):
        answer = asked(connection, "GET", f"/book?{query}")
        if answer is not None and "error" in answer:
            raise TickwireError(f"{feed}: {answer['error']}")
        if answer is not None and "bids" in answer:
            return answer
    raise TickwireError(f"no feed {feed!r} runs, or none that can be asked")


def _replayed(
    capture: Path, symbol: str, venue: str | None, channel: str, depth: int
) -> dict[str, Any]:
    """Replay a capture, and give the book as it is at the end."""
    from tickwire import FeedHandler, run
    from tickwire.config import BooksSettings, Source
    from tickwire.feed.replays.replaying import Replay

    if venue is None:
        raise ConfigError(["--venue: is required where a capture is given"])
    source = Source(venue=venue, channels=[channel], symbols=[symbol])
    feed = FeedHandler(source, books=BooksSettings(), replays=True)
    run(Replay(feed, capture).run())
    view = feed.book(feed.plan.sources[0].venue.name, symbol, depth=depth)
    if not view.messages:
        raise TickwireError(f"{capture}: has no book of {symbol} that {venue} decodes")
    return view.to_dict()


def lines_of(found: dict[str, Any]) -> list[str]:
    """Put a book in lines for people: bids on the left, asks on the right, the best first."""
    reason = f" ({found['reason']})" if found["reason"] else ""
    crossed = ", crossed" if found["is_crossed"] else ""
    at = _time(found["ts_recv"])
    lines = [
        f"{found['venue']} {found['symbol']} {found['channel']}: {found['state']}{reason}{crossed}",
        f"{found['messages']:,} messages, the last {at}, venue_seq {found['venue_seq']}",
    ]
    cells = [("bid size", "bid price", "ask price", "ask size")]
    n_rows = max(len(found["bids"]), len(found["asks"]))
    for number in range(n_rows):
        bid, ask = _level(found["bids"], number), _level(found["asks"], number)
        cells.append((bid[1], bid[0], ask[0], ask[1]))
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    return lines + ["  ".join(_padded(row, widths)).rstrip() for row in cells]


def _padded(row: Iterable[str], widths: list[int]) -> Iterable[str]:
    return (text.rjust(width) for text, width in zip(row, widths, strict=True))


def _level(levels: list[list[float]], number: int) -> tuple[str, str]:
    if number >= len(levels):
        return "", ""
    price, size = levels[number]
    return f"{price:.12g}", f"{size:.12g}"


def _time(ts_ns: int | None) -> str:
    if ts_ns is None:
        return "never"
    moment = datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns % 1_000_000_000:09d}"
