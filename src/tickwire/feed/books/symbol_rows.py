"""Rows by symbol, for metrics: where a source names few symbols, so that series have a bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from tickwire.feed.plan.parts import Parts
from tickwire.feed.plan.plans import SourcePlan
from tickwire.observe import Metrics
from tickwire.ring import Dictionary, Streams

# A source that names more has no series by symbol: each scrape would take longer and longer.
MOST_SYMBOLS = 50


def watch_symbols(
    source: SourcePlan,
    parts: Parts,
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
    parts
        Of its connections.
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
                own = [first_session + each for each in parts.numbers(number, table)]
                read = partial(_rows, of_table, own, code)
                metrics.watch("symbol_rows", read, table=table, symbol=name)


def _rows(streams: Streams, numbers: Sequence[int], code: int) -> int:
    found = (streams.get(number, code) for number in numbers)
    return sum(each.n_rows for each in found if each is not None)
