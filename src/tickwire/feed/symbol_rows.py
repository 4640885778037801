"""Rows by symbol, for metrics: where a source names few symbols, so that series have a bound."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tickwire.feed.plans import SourcePlan
from tickwire.observe import Metrics
from tickwire.ring import Dictionary, Streams

# A source that names more has no series by symbol: each scrape would take longer and longer.
MOST_SYMBOLS = 50


def watch_symbols(
    source: SourcePlan,
    first_session: int,
    streams: Mapping[str, Streams],
    symbols: Dictionary,
    metrics: Metrics,
) -> None:
    """Let a source's rows be read by table and symbol.

    Parameters
    ----------
    source
        Whose.
    first_session
        The number of its first connection; the others follow.
    streams
        What its tables' rings have had of each stream, by table.
    symbols
        The feed's dictionary.
    metrics
        The source's.
    """
    if len(set(source.settings.symbols)) > MOST_SYMBOLS:
        return
    for number, connection in enumerate(source.connections):
        for name in dict.fromkeys(each.symbol for each in connection.subscriptions):
            if name == "*":
                continue
            code = symbols.code(name)
            for table, of_table in streams.items():
                read = partial(_rows, of_table, first_session + number, code)
                metrics.watch("symbol_rows", read, table=table, symbol=name)


def _rows(streams: Streams, session: int, code: int) -> int:
    stream = streams.get(session, code)
    return 0 if stream is None else stream.n_rows
