"""A feed's rows against what the simulator sent: `compare(log, rows, gaps)`.

What is counted, per stream (table and symbol) whose messages carry ids:

- `missing`: ids that the market made and the rows lack.
- `sent_missing`: those of them that were sent on a connection, surely (`unsure` ones are not).
- `doubled`: ids that the rows have more than once.
- `undeclared`: missing ids that lie in no gap of their stream.
- `withheld`: ids that lie in none either, and that a fault withheld or damaged on an open
  connection: of a venue that numbers nothing, no client can know of what is left out.
- `invented`: ids in the rows that were never made.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

MS = 1_000_000


@dataclass(slots=True)
class Made:
    """An id that the market made.

    Parameters
    ----------
    first_ns
        When its first message was made.
    is_sent
        Whether a connection surely got it.
    is_struck
        Whether a fault withheld or damaged it.
    is_repeated
        Whether a fault sent it twice.
    is_live
        Whether a connection surely got it when it was made, and not later.
    """

    first_ns: int
    is_sent: bool = False
    is_struck: bool = False
    is_repeated: bool = False
    is_live: bool = False


@dataclass(slots=True)
class Verdict:
    """What a stream's rows came to."""

    rows: int = 0
    made: int = 0
    missing: list[str] = field(default_factory=list)
    sent_missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ("missing", "sent_missing", "doubled", "undeclared", "withheld", "invented")
        counts = " ".join(f"{name}={len(getattr(self, name))}" for name in names)
        return f"rows={self.rows} made={self.made} {counts}"


Stream = tuple[str, str]  # table, symbol
Gaps = Mapping[Stream, list[tuple[int, int]]]


def read_log(path: Path, having: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """Give the log's lines; one that was cut by a kill ends it.

    With `having`, those lines alone that have one of these texts: of millions few are looked for.
    """
    texts = tuple(having)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if texts and not any(text in line for text in texts):
                continue
            try:
                yield json.loads(line)
            except ValueError:
                return


def made(path: Path, table: str = "trades") -> dict[Stream, dict[str, Made]]:
    """Give every id of a table, by stream."""
    unsure: dict[int, set[int]] = defaultdict(set)
    for line in read_log(path, ('"ended"',)):
        if line["event"] == "ended":
            unsure[line["connection"]].update(line["unsure"])
    found: dict[Stream, dict[str, Made]] = defaultdict(dict)
    for line in read_log(path, (f'"{table}"',)):
        if line["event"] != "message" or line["table"] != table:
            continue
        is_sent = any(line["number"] not in unsure[connection] for connection in line["to"])
        stream = found[table, line["symbol"]]
        for number in line["ids"]:
            one = stream.setdefault(number, Made(line["time_ns"], is_live=is_sent))
            one.is_sent |= is_sent
            one.is_struck |= not is_sent and "struck" in line
            one.is_repeated |= "repeat" in line.get("struck", {}).values()
    return found


def compare(
    truth: Mapping[Stream, Mapping[str, Made]],
    rows: Mapping[Stream, Iterable[str]],
    gaps: Gaps,
    *,
    from_ns: int = 0,
    to_ns: int | None = None,
    tolerance_ns: int = 2 * MS,
) -> dict[Stream, Verdict]:
    """Compare rows with the truth.

    Parameters
    ----------
    truth
        As `made` gives it.
    rows
        The ids of each stream's rows, in order.
    gaps
        Of each stream, as (start, end) in ns.
    from_ns, to_ns
        What was made before or after is neither expected nor wrong.
    tolerance_ns
        By which an id may lie outside of a gap: two clocks' readings of one message differ.
    """
    verdicts = {}
    for stream, ids in truth.items():
        counts = Counter(rows.get(stream, ()))
        verdict = Verdict(rows=counts.total(), made=len(ids))
        verdict.doubled = [number for number, n in counts.items() if n > 1]
        verdict.invented = [number for number in counts if number not in ids]
        for number, one in ids.items():
            if number in counts or one.first_ns < from_ns:
                continue
            if to_ns is not None and one.first_ns > to_ns:
                continue
            verdict.missing.append(number)
            if one.is_sent:
                verdict.sent_missing.append(number)
            if not any(
                start - tolerance_ns <= one.first_ns <= end + tolerance_ns
                for start, end in gaps.get(stream, ())
            ):
                (verdict.withheld if one.is_struck else verdict.undeclared).append(number)
        verdicts[stream] = verdict
    return verdicts


class Excess(NamedTuple):
    """A gap, and by how much it is longer than the truth."""

    start_ns: int
    end_ns: int
    excess_ns: int


def excesses(
    ids: Mapping[str, Made],
    gaps: Iterable[tuple[int, int]],
    *,
    from_ns: int = 0,
    to_ns: int | None = None,
) -> list[Excess]:
    """Give by how much each gap of a stream is longer than what is true.

    What is true of a gap is the time between two ids that were sent when they were made, next to
    each other, with one between them that was not. A gap that lies between two such ids whole is
    not too long either: nothing was made then.

    Parameters
    ----------
    ids
        All that were made.
    gaps
        As (start, end) in ns.
    from_ns, to_ns
        Gaps that begin before or end after are left out.
    """
    had = sorted(one.first_ns for one in ids.values() if one.is_live)
    lost = sorted(one.first_ns for one in ids.values() if not one.is_live)
    found = []
    for start, end in gaps:
        if start < from_ns or (to_ns is not None and end > to_ns):
            continue
        n_before, n_through = bisect_right(had, start), bisect_left(had, end)
        excess = 0
        if n_through > n_before:
            borders = [start, *had[n_before:n_through], end]
            for number, (left, right) in enumerate(pairwise(borders)):
                # At both ends the interval goes on outside of the gap.
                first = had[n_before - 1] if number == 0 and n_before else left
                last = had[n_through] if right == end and n_through < len(had) else right
                n_lost = bisect_right(lost, last) - bisect_left(lost, first)
                excess += 0 if n_lost else right - left
        found.append(Excess(start, end, excess))
    return found


def by_venue_time(
    gaps: Gaps,
    received: Mapping[Stream, list[tuple[int, str]]],
    truth: Mapping[Stream, Mapping[str, Made]],
) -> dict[Stream, list[tuple[int, int]]]:
    """Give gaps from when the last row before was made until the first one behind it was.

    Of tables whose rows have no time of the venue: a gap of theirs has receive times alone, which
    are late by as much as the machine is busy. As with the venue's own times, a second at most.

    Parameters
    ----------
    gaps
        As `read_gaps` gives them.
    received
        Of each stream, (receive time in ns, id) of its rows, in order.
    truth
        As `made` gives it.
    """
    found = {}
    for stream, spans in gaps.items():
        rows, ids = received.get(stream, []), truth.get(stream, {})
        times = [ns for ns, _ in rows]
        found[stream] = moved = []
        for start, end in spans:
            begun = _made_ns(rows, bisect_right(times, start) - 1, ids, start)
            moved.append((begun, max(begun, _made_ns(rows, bisect_left(times, end), ids, end))))
    return found


def _made_ns(rows: list[tuple[int, str]], index: int, ids: Mapping[str, Made], late_ns: int) -> int:
    """Give when a row was made; the time that is given where that is not known, or is far off."""
    if 0 <= index < len(rows) and (one := ids.get(rows[index][1])) is not None:
        return one.first_ns if 0 < late_ns - one.first_ns < 1000 * MS else late_ns
    return late_ns


def _sources(path: Path, table: str) -> tuple[duckdb.DuckDBPyConnection, str]:
    """Give a connection and what to select from: a DuckDB file, or a Parquet dataset."""
    if path.is_dir():
        connection = duckdb.connect()
        files = [str(file) for file in path.glob(f"{table}/**/*.parquet")]
        if not files:
            return connection, ""
        return connection, f"read_parquet({files!r}, hive_partitioning=true)"
    return duckdb.connect(str(path), read_only=True), f'"{table}"'


def read_rows(
    path: Path, table: str = "trades", column: str = "trade_id", venue: str | None = None
) -> dict[Stream, list]:
    """Give the ids of a table's rows, by stream, in the order of seq; of all venues, or of one."""
    connection, source = _sources(path, table)
    found: dict[Stream, list[str]] = defaultdict(list)
    with connection:
        if source:
            asked = (
                f"SELECT symbol, {column} FROM {source} "  # noqa: S608 - our own
                "WHERE $venue IS NULL OR venue = $venue ORDER BY seq"
            )
            for symbol, number in connection.execute(asked, {"venue": venue}).fetchall():
                found[table, symbol].append(str(number))
    return found


def read_received(path: Path, table: str, column: str, venue: str) -> dict[Stream, list]:
    """Give (receive time in ns, id) of a venue's rows, by stream, in the order of seq."""
    connection, source = _sources(path, table)
    found: dict[Stream, list[tuple[int, str]]] = defaultdict(list)
    with connection:
        if source:
            asked = (
                f"SELECT symbol, epoch_ns(ts_recv), {column} FROM {source} "  # noqa: S608 - our own
                "WHERE venue = $venue ORDER BY seq"
            )
            for symbol, recv_ns, number in connection.execute(asked, {"venue": venue}).fetchall():
                found[table, symbol].append((recv_ns, str(number)))
    return found


def told_of_gap(path: Path, venue: str, stream: Stream, start_ns: int) -> str:
    """Say of the gap of a stream that begins next to a time what the feed has said of it."""
    connection, source = _sources(path, "gaps")
    with connection:
        asked = (
            f"SELECT reason, coalesce(detail, '') FROM {source} "  # noqa: S608 - our own
            "WHERE (venue, table_name, symbol) = ($venue, $table, $symbol) "
            "ORDER BY abs(epoch_ns(ts_start) - $start), seq DESC LIMIT 1"
        )
        values = {"venue": venue, "table": stream[0], "symbol": stream[1], "start": start_ns}
        row = connection.execute(asked, values).fetchone()
    return "" if row is None else " ".join(map(str, row))


def read_gaps(
    path: Path, end_ns: int, venue: str | None = None, *, by_event: bool = False
) -> dict[Stream, list[tuple[int, int]]]:
    """Give the gaps of each stream; one that is open lasts until `end_ns`.

    Of all venues, or of one. The last row of an id counts. Start is the earlier of both clocks, the
    end the receive time; with `by_event` the venue's, as a busy machine receives late.
    """
    connection, source = _sources(path, "gaps")
    found: dict[Stream, list[tuple[int, int]]] = defaultdict(list)
    with connection:
        if source:
            # The venue's clock is ms and may be off: only what it says within a second counts.
            asked = (
                "SELECT table_name, symbol, epoch_ns(ts_start), epoch_ns(ts_end), "  # noqa: S608
                f"epoch_ns(ts_event_start), epoch_ns(ts_event_end) FROM {source} "
                "WHERE $venue IS NULL OR venue = $venue "
                "QUALIFY row_number() OVER (PARTITION BY gap_id ORDER BY seq DESC) = 1"
            )
            rows = connection.execute(asked, {"venue": venue}).fetchall()
            for table, symbol, start, end, event_start, event_end in rows:
                if event_start is not None and 0 < start - event_start < 1000 * MS:
                    start = event_start
                has_end = by_event and end is not None and event_end is not None
                if has_end and 0 < end - event_end < 1000 * MS:
                    end = max(start, event_end)
                found[table, symbol].append((start, end_ns if end is None else end))
    return found
