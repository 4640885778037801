"""Trades that earlier runs have delivered: their ids, read back from a sink at the start.

Rules of this file
------------------
- A venue may repeat trades after a subscribe. What a sink holds, or its spill, is not new.
- The newest `MOST_ROWS` rows are read, of symbols that have few there also their last ones where
  the output finds them quickly; nothing of it on the loop, and within `READ_S`.
- Ids are those of the sink that is ahead of the others by `seq`. A gap `down` begins at the last
  row that all of them have; of a stream that one which is behind does not show, where the feed's
  positions say, or else where that one's newest rows begin. Only where they have the same rows do
  ids say what of it is missing: what one sink alone has got does not come again for the others.
- Without a sink of trades the rings of the last run say it, where they lie in files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from time import monotonic

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tickwire.columns import integers
from tickwire.errors import SinkError, TickwireError
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.pipeline import SourcePipeline
from tickwire.ledger import Position
from tickwire.ledger.index import StreamName
from tickwire.logs import get_logger
from tickwire.ring import Dictionary
from tickwire.sinks import Sink
from tickwire.store import Spill
from tickwire.supervise import in_thread

TABLE = "trades"
COLUMNS = ("seq", "venue", "symbol", "channel", "ts_recv", "ts_event", "price", "trade_id")
MOST_ROWS = 1 << 18
OTHER_ROWS = 1 << 16  # of a sink whose ids are not needed
FEW_ROWS = 200  # of a symbol: a venue repeats no more
READ_S = 10.0
NO_TIME = np.iinfo(np.int64).min
_log = get_logger("tickwire.feed")


class Delivered:
    """What earlier runs have delivered, made known to the decoders of a feed.

    Parameters
    ----------
    sources
        The feed's.
    symbols
        Its dictionary.

    Attributes
    ----------
    newest
        The last row of each stream of trades that every sink has which has any trades.
    lacked
        Where each stream begins to be missing that a sink which is behind does not show: before
        that one's newest rows. Of use where the feed's positions do not say it.
    is_certain
        Whether every sink of trades has the rows whose ids are known.
    """

    def __init__(self, sources: Sequence[SourcePipeline], symbols: Dictionary) -> None:
        self._sources = [
            source for source in sources if any(t == TABLE for t, _ in source.decoder.memories)
        ]
        self._symbols = symbols
        self._until_s = 0.0
        self._ring_rows: list[pa.RecordBatch] = []  # the newest first
        self.newest: dict[StreamName, Position] = {}
        self.lacked: dict[StreamName, Position] = {}
        self.is_certain = False

    def note_rings(self, rings: RingStore) -> None:
        """Keep the rows of the last run's rings, before these are removed."""
        if self._sources:
            self._ring_rows = list(rings.newest_rows(TABLE, MOST_ROWS))

    async def read(self, sinks: Sequence[Sink], spills: Mapping[str, Spill]) -> None:
        """Read back what sinks and their spills hold, and make it known; nothing raises.

        Parameters
        ----------
        sinks
            The feed's; one that is not open is passed over.
        spills
            Theirs, by sink.
        """
        sinks = [sink for sink in sinks if TABLE in sink.tables]
        if not self._sources or (not sinks and not self._ring_rows):
            return
        self._until_s = monotonic() + READ_S
        names = ", ".join(sink.name for sink in sinks)
        try:
            await in_thread(partial(self._read, sinks, spills))
        except (TickwireError, pa.ArrowException, OSError) as error:
            self.is_certain = False
            _log.warning(
                "ids of delivered trades are not all read back: what a venue repeats may be stored "
                "twice", sinks=names, why=" ".join(str(error).split()),
            )  # fmt: skip

    def _read(self, sinks: Sequence[Sink], spills: Mapping[str, Spill]) -> None:
        if not sinks:
            self.newest = self._remember(self._ring_rows)
            self._ring_rows = []  # they keep the memory of a ring whose file is gone
            self.is_certain = True
            return
        late = [sink.name for sink in sinks if not sink.opened.done() or sink.opened.cancelled()]
        if late:
            raise SinkError(f"{', '.join(late)}: not open")
        held = {sink.name: self._rows_of(sink, spills[sink.name]) for sink in sinks}
        firsts = {name: next(rows, None) for name, rows in held.items()}
        last = {name: -1 if row is None else _last_seq(row) for name, row in firsts.items()}
        ahead = max(sinks, key=lambda sink: last[sink.name])
        first = firsts[ahead.name]
        if first is None:
            return
        newest: dict[StreamName, Position] = {}
        lacked: dict[StreamName, Position] = {}
        oldest = Position(NO_TIME, None)
        for sink in sorted(sinks, key=lambda each: each is not ahead):
            begin = firsts[sink.name]
            if begin is None:  # it is new, or the last run was killed before its first row
                hidden = dict.fromkeys(newest, oldest)
                lacked = _earlier(lacked, hidden) | _earlier(hidden, lacked)
                newest = {}
                continue
            rows = chain((begin,), held[sink.name])
            if sink is ahead:
                batches = self._newest(rows, MOST_ROWS)
                newest = self._remember(batches, ahead)
                oldest = Position(int(integers(batches[-1].column("ts_recv"), NO_TIME).min()), None)
                continue
            of_sink = self._look(self._newest(rows, OTHER_ROWS))
            if last[sink.name] < last[ahead.name]:  # what it does not show, it may lack
                begins = Position(int(integers(begin.column("ts_recv"), NO_TIME).min()), None)
                hidden = dict.fromkeys(newest.keys() - of_sink.keys(), begins)
                lacked = _earlier(lacked, hidden | of_sink) | _earlier(hidden, lacked)
                newest = {name: each for name, each in newest.items() if name in of_sink}
                newest = _earlier(newest, of_sink)
            else:
                newest = of_sink | newest
        self.newest = {name: each for name, each in newest.items() if name not in lacked}
        self.lacked = lacked
        self.is_certain = len(set(last.values())) == 1

    @staticmethod
    def _rows_of(sink: Sink, spill: Spill) -> Iterator[pa.RecordBatch]:
        """Give what a sink will have, the newest batch first: its spill comes behind its output."""
        for batch in spill.newest(TABLE):
            yield batch.select(list(COLUMNS))
        yield from sink.newest_rows(TABLE, COLUMNS, MOST_ROWS)

    def _newest(self, batches: Iterable[pa.RecordBatch], most_rows: int) -> list[pa.RecordBatch]:
        found, n_rows = [], 0
        for batch in batches:
            found.append(batch)
            n_rows += batch.num_rows
            if n_rows >= most_rows:
                break
            self._check_time()
        return found

    def _check_time(self) -> None:
        if monotonic() >= self._until_s:
            raise SinkError(f"takes more than {READ_S:g} s")

    def _remember(
        self, batches: Sequence[pa.RecordBatch], sink: Sink | None = None
    ) -> dict[StreamName, Position]:
        """Make the rows of batches known, of which the newest comes first; gives the last ones."""
        n_trades = 0
        newest: dict[StreamName, Position] = {}
        for source in self._sources:
            rows = _SourceRows(source, self._symbols)
            for batch in batches:
                rows.look(batch)
            quiet = rows.quiet_symbols()
            older = None
            if sink is not None and quiet:
                self._check_time()
                older = sink.rows_of(TABLE, COLUMNS, quiet, FEW_ROWS)
            n_new = 0
            for batch in chain(() if older is None else (older,), reversed(batches)):
                n_new += rows.remember(batch)
            source.metrics.counter("known_trades").add(n_new)
            n_trades += n_new
            newest |= _earlier(rows.newest(), newest)
        if n_trades:
            name = "the rings of the last run" if sink is None else sink.name
            _log.info("ids of delivered trades were read back", of=name, trades=n_trades)
        return newest

    def _look(self, batches: Sequence[pa.RecordBatch]) -> dict[StreamName, Position]:
        """Find the last rows that one more sink has."""
        newest: dict[StreamName, Position] = {}
        for source in self._sources:
            rows = _SourceRows(source, self._symbols)
            for batch in batches:
                rows.look(batch)
            newest |= _earlier(rows.newest(), newest)
        return newest


def _earlier(
    some: Mapping[StreamName, Position], others: Mapping[StreamName, Position]
) -> dict[StreamName, Position]:
    """Give the positions of some streams, or the others' of these where they are earlier."""
    return {
        name: min(each, others.get(name, each), key=lambda one: one.recv_ns)
        for name, each in some.items()
    }


class _SourceRows:
    """The rows of one source among those that were read back."""

    def __init__(self, source: SourcePipeline, symbols: Dictionary) -> None:
        self._source = source
        self._symbols = symbols
        self._named = source.plan.settings.symbols
        self._memories = {
            channel: memory
            for (table, channel), memory in source.decoder.memories.items()
            if table == TABLE
        }
        self._n_rows: dict[str, int] = {}  # by symbol
        self._last: dict[tuple[str, str], Position] = {}  # by symbol and channel

    def look(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch, which is older than those before."""
        symbols, names = _codes(batch.column("symbol"))
        channels, channel_names = _codes(batch.column("channel"))
        is_own = self._own(batch)
        recv = integers(batch.column("ts_recv"), NO_TIME)
        event = integers(batch.column("ts_event"), NO_TIME)
        for channel in np.unique(channels[is_own]).tolist():
            of_channel = np.flatnonzero(is_own & (channels == channel))
            codes, at, counts = np.unique(
                symbols[of_channel][::-1], return_index=True, return_counts=True
            )
            for code, i, n in zip(codes.tolist(), at.tolist(), counts.tolist(), strict=True):
                row = of_channel[len(of_channel) - 1 - i]
                event_ns = None if event[row] == NO_TIME else int(event[row])
                name = names[code]
                self._n_rows[name] = self._n_rows.get(name, 0) + n
                self._last.setdefault(
                    (name, channel_names[channel]), Position(int(recv[row]), event_ns)
                )

    def quiet_symbols(self) -> list[str]:
        """Give the symbols of the source of which few rows were seen."""
        if "*" in self._named:
            return []
        return [name for name in self._named if self._n_rows.get(name, 0) < FEW_ROWS]

    def newest(self) -> dict[StreamName, Position]:
        """Give the last row of each stream; of several channels the earlier one, where all have."""
        channels = [name for name in self._source.plan.settings.channels if name in self._memories]
        found = {}
        for symbol in {symbol for symbol, _ in self._last}:
            last = [self._last.get((symbol, channel)) for channel in channels]
            known = [each for each in last if each is not None]
            if channels and len(known) == len(last):
                name = (self._source.plan.venue.name, TABLE, symbol)
                found[name] = min(known, key=lambda each: each.recv_ns)
        return found

    def remember(self, batch: pa.RecordBatch) -> int:
        """Make the ids of a batch known; gives how many were not."""
        symbols, names = _codes(batch.column("symbol"))
        codes = np.full(len(names) + 1, -1, np.int32)  # the last one: null
        for i, name in enumerate(names):
            if "*" in self._named or name in self._named:
                codes[i] = self._symbols.code(name)
        channels, channel_names = _codes(batch.column("channel"))
        by_memory = np.array(
            [self._memories.get(name, self._memories.get(None, -1)) for name in channel_names]
            + [-1]
        )
        is_own = self._own(batch)
        ids = batch.column("trade_id")
        ids = ids if ids.type == pa.utf8() else ids.cast(pa.utf8())
        offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset :][: len(ids) + 1]
        data = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
        times = integers(batch.column("ts_event"), NO_TIME)
        prices = np.ascontiguousarray(batch.column("price").to_numpy())
        n_new = 0
        for memory in set(self._memories.values()):
            wanted = is_own & (by_memory[channels] == memory)
            own = np.where(wanted, codes[symbols], np.int32(-1)).astype(np.int32)
            n_new += self._source.decoder.seen.remember(memory, own, offsets, data, times, prices)
        return n_new

    def _own(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        venues, names = _codes(batch.column("venue"))
        is_own = np.array([name == self._source.plan.venue.name for name in names] + [False])
        return is_own[venues]


def _codes(column: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """Give the place of each value in a list, and the list; -1: null."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return integers(column.indices, -1).astype(np.int64), column.dictionary.to_pylist()


def _last_seq(batch: pa.RecordBatch) -> int:
    return int(batch.column("seq")[-1].as_py())
