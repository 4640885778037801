"""What the file of positions holds: made and read.

Rules of this file
------------------
- Of thousands of streams the text is made in a thread, a piece at a time: between two pieces the
  interpreter is free for the loop, which a call into the JSON library is not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from tickwire.ledger import Gap, Place, Position
from tickwire.ledger.index import StreamName

VERSION = 1
STREAMS_A_PIECE = 250


class Stored(NamedTuple):
    """What is to be written, at one moment.

    Parameters
    ----------
    committed
        Where each stream is that every sink has.
    newest
        Where each stream is now.
    began
        The feed's start: of what no sink has committed all may be lost since then.
    unsettled
        Streams with a gap that sinks may lack.
    ended, left
        Gaps that have ended and that sinks may lack, and those of earlier runs; by id, those that
        are open.
    open_gaps
        By id.
    sinks
        Up to where each sink has committed: its target, and the last seq by table.
    has_ids
        Whether the last ids of trades are certain.
    """

    committed: Mapping[StreamName, Position]
    newest: Mapping[StreamName, Position]
    began: Position
    unsettled: Collection[StreamName]
    ended: Sequence[Gap]
    left: Sequence[Gap]
    open_gaps: Mapping[int, Gap]
    sinks: Mapping[str, tuple[str, Mapping[str, int]]]
    has_ids: bool = False


def text_of(stored: Stored, *, pause: bool = False) -> str:
    """Give the text of the file.

    Parameters
    ----------
    stored
        What it says.
    pause
        Let other threads have the interpreter between two pieces.
    """
    going_on: set[int] = set()
    pieces = []
    for piece in _pieces(stored, going_on):
        pieces.append(piece)
        if pause:
            time.sleep(0)
    left = (gap for gap_id, gap in stored.open_gaps.items() if gap_id not in going_on)
    kept = {gap.gap_id: gap for gap in (*stored.ended, *left, *stored.left)}
    gaps = [{**asdict(gap), "channels": sorted(gap.channels)} for gap in kept.values()]
    rest = {"unsettled": sorted(stored.unsettled), "gaps": gaps, "sinks": stored.sinks}
    streams = ", ".join(pieces)
    return f'{{"version": {VERSION}, "streams": [{streams}], {json.dumps(rest)[1:]}'


def _pieces(stored: Stored, going_on: set[int]) -> Iterator[str]:
    """Give the streams, some at a time; notes the open gaps that they go on with."""
    committed, newest, began = stored.committed, stored.newest, stored.began
    names = [*(dict.fromkeys(newest) | dict.fromkeys(committed))]
    for start in range(0, len(names), STREAMS_A_PIECE):
        streams: list[list[Any]] = []
        for name in names[start : start + STREAMS_A_PIECE]:
            position = committed.get(name, began)
            open_now = newest.get(name, position)
            recv_ns, event_ns = min(position[:2], open_now[:2], key=lambda each: each[0])
            ids = [position.ids] if stored.has_ids and position.ids else []
            streams.append([*name, recv_ns, event_ns, open_now.gap_id, open_now.reason, *ids])
            if open_now.gap_id is not None:
                going_on.add(open_now.gap_id)
        yield json.dumps(streams)[1:-1]


def streams_of(stored: Mapping[str, Any]) -> dict[StreamName, Position]:
    """Read the positions; raises as what is not as it should be does."""
    return {
        (str(venue), str(table), str(symbol)): Position(
            int(recv),
            None if event is None else int(event),
            None if gap_id is None else int(gap_id),
            None if reason is None else str(reason),
            tuple((str(channel), int(last)) for channel, last in more[0]) if more else (),
        )
        for venue, table, symbol, recv, event, gap_id, reason, *more in stored["streams"]
    }


def unsettled_of(stored: Mapping[str, Any]) -> frozenset[StreamName]:
    """Read the streams with a gap that sinks may lack; raises as `streams_of`."""
    return frozenset(
        (str(venue), str(table), str(symbol))
        for venue, table, symbol in stored.get("unsettled", ())
    )


def gaps_of(stored: Mapping[str, Any]) -> list[Gap]:
    """Read the gaps; raises as `streams_of`."""
    found = []
    for values in stored.get("gaps", ()):
        place, channels = Place(**values["place"]), frozenset(values.get("channels", ()))
        found.append(Gap(**{**values, "place": place, "channels": channels}))
    return found
