"""What a run of minutes came to: each stream and sink against the logs of the simulators."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.storm.exchanges import Exchange
from tests.storm.truth import (
    MS,
    Excess,
    Made,
    Stream,
    Verdict,
    by_venue_time,
    compare,
    excesses,
    made,
    read_gaps,
    read_log,
    read_received,
    read_rows,
)

# What has ids in the simulator's log, and which column of the table has them.
COLUMNS = {"trades": "trade_id", "quotes": "venue_seq"}
WITHOUT_TIMES = ("quotes",)  # Binance's, whose rows have no time of the venue
SINKS = ("m.duckdb", "data")
# The last rows before a stop may be on their way.
BEFORE_STOP_NS = 1000 * MS


@dataclass(slots=True)
class Judged:
    """What one stream of one sink came to.

    Parameters
    ----------
    venue, sink, stream
        Which.
    verdict
        Rows against what was made.
    gaps
        Those within the time that is judged.
    """

    venue: str
    sink: str
    stream: Stream
    verdict: Verdict
    gaps: list[Excess] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """Whether a row is doubled, invented, lost though it was sent, or missing in silence."""
        found = self.verdict
        return bool(
            found.doubled or found.invented or found.sent_missing or found.undeclared
        ) or not (found.rows or not found.made)


def judge(exchange: Exchange, folder: Path, stop_ns: int, from_ns: int = 0) -> Iterator[Judged]:
    """Compare one source's tables with its simulator's log.

    Parameters
    ----------
    exchange
        Whose.
    folder
        Where the sinks are.
    stop_ns
        When the feed was asked to stop.
    from_ns
        What was made before is not judged; by default all from each stream's first sent message on.
    """
    to_ns = stop_ns - BEFORE_STOP_NS
    venue = exchange.plan.venue
    for table in tables_of(exchange):
        truth = {
            stream: _from_first_sent(ids, from_ns)
            for stream, ids in made(exchange.log, table).items()
        }
        for sink in SINKS:
            path = folder / sink
            rows = read_rows(path, table, COLUMNS[table], venue)
            gaps = read_gaps(path, stop_ns, venue)
            narrow = read_gaps(path, stop_ns, venue, by_event=True)
            if table in WITHOUT_TIMES:
                received = read_received(path, table, COLUMNS[table], venue)
                gaps = narrow = by_venue_time(gaps, received, truth)
            verdicts = compare(truth, rows, gaps, from_ns=from_ns, to_ns=to_ns)
            for stream, verdict in verdicts.items():
                if from_ns:
                    verdict.invented = []  # what came before was not looked at
                if table != "trades":  # of trades alone a feed drops what a venue sends twice
                    verdict.doubled = [
                        number for number in verdict.doubled
                        if number not in truth[stream] or not truth[stream][number].is_repeated
                    ]  # fmt: skip
                found = excesses(
                    truth[stream], narrow.get(stream, ()),
                    from_ns=max(from_ns, _first_ns(truth[stream])), to_ns=to_ns,
                )  # fmt: skip
                yield Judged(venue, sink, stream, verdict, found)


def tables_of(exchange: Exchange) -> list[str]:
    """Give the tables of which the simulator logs ids."""
    tables = [table for table in COLUMNS if table in exchange.plan.channels]
    if not exchange.plan.venue.startswith("binance"):
        tables = [table for table in tables if table == "trades"]
    return tables


def _first_ns(ids: Mapping[str, Made]) -> int:
    return min((one.first_ns for one in ids.values()), default=0)


def _from_first_sent(ids: dict[str, Made], from_ns: int) -> dict[str, Made]:
    """Leave out what was made before the first subscription."""
    first_ns = min((one.first_ns for one in ids.values() if one.is_sent), default=0)
    first_ns = max(first_ns, from_ns)
    return {number: one for number, one in ids.items() if one.first_ns >= first_ns}


def faults_of(exchange: Exchange) -> Counter[str]:
    """Count what struck, by kind."""
    counts: Counter[str] = Counter()
    for line in read_log(exchange.log, ('{"event": "fault',)):
        kind = str(line["fault"]).partition("@")[0].partition("=")[0].partition("*")[0]
        if line["event"] in ("fault", "fault begins"):
            counts[kind] += 1
    return counts


def excess_line(judged: list[Judged]) -> tuple[str, float]:
    """Give a line about all gaps, and the greatest excess in ms."""
    found = [gap.excess_ns / MS for each in judged for gap in each.gaps]
    if not found:
        return "no gap", 0.0
    middle, most = statistics.median(found), max(found)
    return f"{len(found)} gaps, excess p50 {middle:.0f} ms, most {most:.0f} ms", most
