"""Up to where each stream has been committed, kept on disk for the next run.

Rules of this file
------------------
- A snapshot of all streams is taken a few times a second. It counts once every sink has committed
  what had been published then, so that a gap between two runs starts where the tables end.
- A gap that has ended may be in no sink yet, while rows behind it are. Until it is, its stream is
  `unsettled`: it goes on from where it was committed, whatever rows sinks have.
- Gaps that are open are written as soon as they are, so that the next run ends them. Gaps that
  not every sink can have got, as the last ones of a stop, are written for it to write again; so are
  open ones that no stream goes on with, where two of one name had one: the next run ends them.
- Of a stream that has had nothing yet all is missing since the start: that is written before the
  first connection brings anything, so that no kill is too early.
- The last ids of trades count only after a stop at which every sink had got everything: the next
  run asks for what came since, and what a sink had got already would come twice. They are taken
  out of the file before anything else happens.
- The file is replaced whole. It is not flushed to the disk: a kill leaves it, and after a power cut
  an older one is good too, for it makes gaps longer, never shorter. One that still has the last ids
  is not: so without them it is flushed.
- Its disk may hang: writes have threads of their own, and the end waits for them, but not long.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from copy import copy
from functools import partial
from pathlib import Path

from tickwire.clock import wall_ns
from tickwire.config import Context, state_file
from tickwire.feed.kept.positions_text import (
    VERSION,
    Stored,
    gaps_of,
    streams_of,
    text_of,
    unsettled_of,
)
from tickwire.ledger import Gap, Position
from tickwire.ledger.index import StreamName
from tickwire.logs import get_logger
from tickwire.sinks.files import replace_file
from tickwire.supervise import Failures, in_thread, spawn

SNAPSHOT_S = 0.5
MAX_SNAPSHOTS = 600  # of a sink that commits once a minute they become fewer and coarser
MAX_GAPS = 256  # that have ended and that sinks may lack: of more the streams are unsettled alone
FEW_STREAMS = 500  # whose text is made at once
CLOSE_S = 5.0  # how long the last write may take
ABANDON_S = 1.0  # and where the process ends at once

_log = get_logger("tickwire.feed")


class Positions:
    """The positions of a feed's streams.

    Parameters
    ----------
    folder
        The feed's state_dir; None keeps nothing.
    name
        The feed's name.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = None if folder is None else state_file(folder, name, ".streams.json")
        self._snapshots: deque[tuple[int, dict[str, int], dict[StreamName, Position]]] = deque()
        self._n_taken = self._n_committed = 0
        self._gap_at: dict[StreamName, int] = {}  # the last snapshot with a gap that sinks may lack
        # Gaps that have ended, and the last snapshot before; by id, the oldest first.
        self._ended: dict[int, tuple[int, Gap]] = {}
        self._open: dict[int, Gap] = {}
        self.unsettled: frozenset[StreamName] = frozenset()  # of the last run
        self._committed: dict[StreamName, Position] = {}
        self._expected: dict[StreamName, Position] = {}  # streams that have nothing yet
        self._due_s = 0.0
        self._began = Position(wall_ns(), None)
        self._written = ""
        self._has_failed = False
        self.failures = Failures()
        self._writing: asyncio.Future[None] | None = None
        self._waiting: str | Stored | None = None  # until the one before is written
        self._gaps: list[Gap] = []
        self._sinks: dict[str, tuple[str, Mapping[str, int]]] = {}
        self._lock = threading.Lock()  # of the file
        self._has_ended = False

    def load_sinks(self) -> dict[str, tuple[str, dict[str, int]]]:
        """Give up to where each sink had committed: its target, and the last seq by table."""
        if self._path is None:
            return {}
        try:
            stored = json.loads(self._path.read_bytes()).get("sinks", {})
            found = {
                str(name): (str(target), {str(table): int(last) for table, last in seqs.items()})
                for name, (target, seqs) in stored.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}  # `load` says so
        self._sinks = dict(found)
        return found

    def load(self) -> dict[StreamName, Position]:
        """Give what the last run has left; nothing where that cannot be read, which is logged."""
        if self._path is None:
            return {}
        try:
            stored = json.loads(self._path.read_bytes())
            if stored["version"] != VERSION:
                raise ValueError(f"is of version {stored['version']!r}")
            self._committed = streams_of(stored)
            self.unsettled = unsettled_of(stored)
            self._gaps = gaps_of(stored)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            _log.warning("positions cannot be read: no gap since the last run", error=str(error))
        loaded, found = self._committed, {}
        self._committed = {name: each._replace(ids=()) for name, each in loaded.items()}
        if any(each.ids for each in loaded.values()):
            self._write(text_of(self._stored(self._committed, self._committed)), is_synced=True)
            found = {} if self._has_failed else loaded
        return dict(found or self._committed)

    def begin(
        self, positions: Mapping[StreamName, Position], streams: Iterable[StreamName] = ()
    ) -> None:
        """Note where the gaps of this run's start begin, which no sink has yet.

        Parameters
        ----------
        positions
            Of the streams of which something is known.
        streams
            All that are expected: the others have nothing since now.
        """
        self._expected = dict.fromkeys(streams, self._began)
        self._committed = self._expected | {
            name: each._replace(ids=()) for name, each in positions.items()
        }
        self._gap_at = dict.fromkeys(positions, self._n_taken)

    def note_gap(self, gap: Gap, due_s: float = 0.0) -> None:
        """Note a gap that has opened or ended, which no sink has yet.

        Parameters
        ----------
        gap
            Which.
        due_s
            By the monotonic clock: when a snapshot is due for it.
        """
        if self._path is None:
            return
        self._due_s = min(self._due_s, due_s)
        place = gap.place
        if place.venue is not None and place.symbol is not None:
            self._gap_at[place.venue, gap.table, place.symbol] = self._n_taken
        if gap.end_ns is None:
            self._open[gap.gap_id] = gap
        else:
            self._open.pop(gap.gap_id, None)
            self._ended[gap.gap_id] = self._n_taken, gap
            if len(self._ended) > MAX_GAPS:
                self._forget(next(iter(self._ended)))

    def _forget(self, gap_id: int) -> None:
        """Do without a gap that sinks may lack: its streams are unsettled."""
        n_taken, gap = self._ended.pop(gap_id)
        if gap.place.symbol is not None:
            return  # `note_gap` has said so
        for name in self._committed:
            if name[1] == gap.table:
                self._gap_at[name] = max(n_taken, self._gap_at.get(name, n_taken))

    def take_gaps(self) -> list[Gap]:
        """Give the gaps that the last run has left to be written again; once.

        Those without an end are open in the tables, and no stream goes on with them.
        """
        gaps, self._gaps = self._gaps, []
        return gaps

    def keep_gaps(self, gaps: Iterable[Gap]) -> None:
        """Keep gaps that are over for the next run, beside the streams."""
        self._gaps.extend(gaps)

    @property
    def is_kept(self) -> bool:
        """Whether positions are kept for the next run."""
        return self._path is not None

    @property
    def is_due(self) -> bool:
        """Whether it is time for another snapshot."""
        return self._path is not None and time.monotonic() >= self._due_s

    def take(self, published: Mapping[str, int], streams: Mapping[StreamName, Position]) -> None:
        """Take a snapshot.

        Parameters
        ----------
        published
            Rows of each table so far.
        streams
            Where each stream stands.
        """
        self._due_s = time.monotonic() + SNAPSHOT_S
        if len(self._snapshots) >= MAX_SNAPSHOTS:
            self._snapshots = deque(list(self._snapshots)[::2])
        self._n_taken += 1
        self._gap_at.update(
            (name, self._n_taken) for name, each in streams.items() if each.gap_id is not None
        )
        self._snapshots.append((self._n_taken, dict(published), dict(streams)))

    def commit(
        self,
        committed: Mapping[str, int],
        sinks: Mapping[str, tuple[str, Mapping[str, int]]] | None = None,
    ) -> None:
        """Note how many rows of each table every sink has committed, and write what is new.

        Parameters
        ----------
        committed
            By table.
        sinks
            Up to where each sink has; as `load_sinks` gives it.
        """
        self._sinks = dict(sinks or {})
        if self._path is None or not self._snapshots:
            return
        newest = self._snapshots[-1][2]
        while self._snapshots and all(
            committed.get(table, n) >= n for table, n in self._snapshots[0][1].items()
        ):
            self._n_committed, _, streams = self._snapshots.popleft()
            self._committed = self._expected | streams
        self._settle()
        stored = self._stored(self._committed, newest)
        if len(newest) > FEW_STREAMS:
            self._waiting = stored
        elif (text := text_of(stored)) != self._written:
            self._waiting = text
        if self._waiting and (self._writing is None or self._writing.done()):
            self._writing = spawn("positions", self._write_waiting())

    async def _write_waiting(self) -> None:
        while waiting := self._waiting:
            self._waiting = None
            await in_thread(partial(self._write_new, waiting))

    def _write_new(self, waiting: str | Stored) -> None:
        text = waiting if isinstance(waiting, str) else text_of(waiting, pause=True)
        if text != self._written:
            self._written = text
            self._write(text)

    def _settle(self) -> None:
        """Forget the gaps that every sink has."""
        self._gap_at = {name: n for name, n in self._gap_at.items() if n >= self._n_committed}
        self._ended = {i: each for i, each in self._ended.items() if each[0] >= self._n_committed}

    def abandon(
        self,
        streams: Mapping[StreamName, Position],
        committed: Mapping[StreamName, Position | None],
    ) -> None:
        """Write what is committed, at once: the process ends, and its gaps stay open.

        Parameters
        ----------
        streams
            Where each stream stands.
        committed
            The last committed row of each stream of which some rows are not; None where it is older
            than what is known.
        """
        if self._path is None:
            return
        # A new one: a thread may be reading the old.
        self._committed = {
            **self._committed,
            **{name: each for name, each in streams.items() if name not in committed},
            **{name: each for name, each in committed.items() if each is not None},
        }
        text = text_of(self._stored(self._committed, streams))
        write = partial(self._write, text, is_last=True)
        writer = threading.Thread(target=write, name="positions", daemon=True)
        writer.start()
        writer.join(ABANDON_S)
        if writer.is_alive():
            self._log_hang()

    async def close(self) -> None:
        """Write what is committed, at the end."""
        if self._writing is not None:
            self._waiting = None
            await asyncio.wait([self._writing], timeout=CLOSE_S)
            if not self._writing.done():
                self._writing.cancel()
                self._log_hang()
                return
            self._writing.exception()  # the last write, below, says what is wrong
        if self._path is not None:
            # Every gap has ended: what is open in an older snapshot is so no longer.
            ended = {
                name: each._replace(gap_id=None, reason=None)
                for name, each in self._committed.items()
            }
            if self._n_taken and not self._snapshots:  # every sink has all of it
                self._gap_at, self._ended = {}, {}
            stored = self._stored(self._committed, ended, has_ids=not self._snapshots)
            try:
                async with asyncio.timeout(CLOSE_S):
                    await in_thread(lambda: self._write(text_of(stored)))
            except TimeoutError:
                self._log_hang()

    def _log_hang(self) -> None:
        _log.error("positions are not written: their disk hangs", file=str(self._path))

    def _stored(
        self,
        committed: Mapping[StreamName, Position],
        newest: Mapping[StreamName, Position],
        *,
        has_ids: bool = False,
    ) -> Stored:
        """Give what is to be written: of what changes a copy, for the text is made in a thread."""
        return Stored(
            committed,
            newest,
            self._began,
            tuple(self._gap_at),
            [copy(gap) for _, gap in self._ended.values()],
            tuple(self._gaps),
            dict(self._open),
            self._sinks,
            has_ids,
        )

    def _write(self, text: str, *, is_last: bool = False, is_synced: bool = False) -> None:
        if self._path is None:
            return
        try:
            with self._lock:
                if self._has_ended:
                    return
                self._has_ended = is_last
                replace_file(self._path, f"{text}\n".encode(), is_synced=is_synced)
            self._has_failed = False
        except OSError as error:
            self.failures.report(
                error, Context.STATE, "positions cannot be written",
                log=_log, quiet=self._has_failed, file=str(self._path),
            )  # fmt: skip
            self._has_failed = True
