"""What lies between the sockets and the sinks: rings, dictionaries, programs, decoders, splices.

A live feed and a replay build the same pipeline, so the same text gives the same rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tickwire.book import BookChecksums
from tickwire.config import Feed
from tickwire.decode import Decoder, MessageLimit, Program
from tickwire.feed.books.book_kernels import counted_at, kernels_of
from tickwire.feed.books.books import Books
from tickwire.feed.books.followed import FollowedBooks
from tickwire.feed.books.kept_books import KeptBooks
from tickwire.feed.books.nbbo import instruments_of
from tickwire.feed.books.symbol_rows import watch_symbols
from tickwire.feed.plan.parts import Parts
from tickwire.feed.plan.plans import FeedPlan, SourcePlan
from tickwire.feed.streams.backfill import Backfiller
from tickwire.feed.streams.drift import Drift
from tickwire.feed.streams.lag import LagWatch
from tickwire.feed.streams.staleness import Staleness
from tickwire.ledger import Holes, Ledger, Quarantine, StreamGaps
from tickwire.observe import Metrics, Registry
from tickwire.ring import Consumer, Dictionaries, Ring, RingMemory, Streams
from tickwire.schema import DATA_TABLES, SYSTEM_TABLES, TABLES, Table
from tickwire.supervise import Failures
from tickwire.venues import Subscription

# The feed's own tables are quiet; at 4 KiB of payload a row, quarantine keeps 64 MiB.
SYSTEM_ROWS = 16_384
QUIET_TABLES = (*SYSTEM_TABLES, "books")

MOST_BACKFILLS = 4096  # whose rows are known as such

# The gaps' own number, reserved in the state beside the tables' sequence numbers.
GAP_ID = "gaps.gap_id"


@dataclass(frozen=True, slots=True)
class SourcePipeline:
    """The part of one source.

    Parameters
    ----------
    plan
        What was planned.
    decoder
        Decodes all its connections.
    books
        Its spliced books, where it has any.
    gaps
        Of its streams.
    staleness
        Of each of its connections: whether streams deliver.
    metrics
        What its parts count by.
    failures
        Where failures are reported.
    backfiller
        What has missed trades by REST, where it can.
    drift
        Notes what is not as it was when the venue was verified.
    """

    plan: SourcePlan
    decoder: Decoder
    books: Books | FollowedBooks | None
    gaps: StreamGaps
    staleness: tuple[Staleness, ...]
    metrics: Metrics
    failures: Failures
    backfiller: Backfiller | None = None
    drift: Drift | None = None

    def look_for_drift(self) -> None:
        """Have a message of each kind looked at again: whether it is what it was."""
        if self.drift is not None:
            self.decoder.request_looks(self.drift.look)


class Pipeline:
    """Everything that rows pass on their way to the consumers.

    Parameters
    ----------
    plan
        The feed's.
    first_numbers
        Table to the sequence number of its first row, and `GAP_ID` to that of the first gap.
    blocks
        Full rings wait for their consumers whatever the configuration says (a replay).
    max_messages
        How many data messages to decode; 0: no limit.
    memory
        What the rings are made of; None: memory of the process.
    """

    def __init__(
        self,
        plan: FeedPlan,
        first_numbers: Mapping[str, int],
        *,
        blocks: bool = False,
        max_messages: int = 0,
        memory: RingMemory | None = None,
    ) -> None:
        feed = plan.config.feed
        self.dictionaries = Dictionaries() if memory is None else memory.dictionaries
        self.registry = Registry()
        self.metrics = self.registry.labelled()
        self.failures = Failures(plan.severities, self.metrics)
        self.read_to_ring = self.metrics.histogram("read_to_ring_seconds")
        self.read_to_batch = self.metrics.histogram("read_to_batch_seconds")
        self.rings = {
            name: Ring(
                table,
                ring_rows(feed, name),
                self.dictionaries,
                overflow="block" if blocks else feed.overflow,
                seq_base=first_numbers[name],
                block=None if memory is None else memory.blocks[name],
            )
            for name, table in plan.tables.items()
        }
        for name, ring in self.rings.items():
            self.metrics.watch("rows", partial(getattr, ring, "published"), table=name)
            self.metrics.watch("dropped_rows", partial(getattr, ring, "dropped_rows"), table=name)
        self.ledger = Ledger(
            self.rings["gaps"],
            self.rings["sessions"],
            first_gap_id=first_numbers[GAP_ID],
            metrics=self.metrics,
        )
        self.lag = LagWatch(self.rings, self.ledger, self.metrics)
        self.streams = {
            name: Streams(ring) for name, ring in self.rings.items() if name in DATA_TABLES
        }
        for name, streams in self.streams.items():
            streams.silences.by_recv = blocks
            self.metrics.watch(
                "silences_dropped", partial(getattr, streams.silences, "n_dropped"), table=name
            )
        self.backfilled: deque[int] = deque(maxlen=MOST_BACKFILLS)  # the conn of such rows
        self._replays = blocks
        self._n_sessions = 0
        self._quarantine = Quarantine(self.rings["quarantine"], self.metrics)
        self._checksums: dict[str, BookChecksums] = {}  # by venue
        self._programs: dict[tuple[object, ...], Program] = {}
        limit = MessageLimit(max_messages)
        self.sources = tuple(
            self._source(
                source,
                plan,
                feed.hold_bytes,
                limit,
                self.metrics.labelled(source=str(number), venue=source.venue.name),
            )
            for number, source in enumerate(plan.sources)
        )
        self._quarantine.on_message = self._undecoded
        self.kept_books: KeptBooks | None = None
        if plan.config.books is not None and "books" in self.rings:
            self.kept_books = KeptBooks(
                plan.config.books,
                plan.sources,
                self.rings,
                self.dictionaries,
                self.ledger,
                self.metrics,
                self.lag,
                checksums=self._checksums,
                on_wrong=self._on_wrong_book,
                instruments=(
                    instruments_of(plan.given, plan.sources) if "nbbo" in self.rings else {}
                ),
                replays=blocks,
            )

    def _undecoded(self, conn: int, payload: bytes) -> None:
        for source in self.sources:
            source.gaps.undecoded(conn, payload)

    def _on_wrong_book(self, venue: str, symbol: str, channel: str, good_ns: int, why: str) -> None:
        for source in self.sources:
            plan = source.plan
            has_it = channel in plan.settings.channels and symbol in plan.spliced
            if plan.venue.name == venue and has_it and source.books is not None:
                source.books.doubt(symbol, good_ns, why)

    def consumers(self, sink: str, tables: tuple[str, ...]) -> dict[str, Consumer]:
        """Give a sink its consumers."""
        made = {name: Consumer(self.rings[name], commits=True) for name in tables}
        for name, consumer in made.items():
            self.lag.watch(name, sink, consumer)
            for figure, attribute in (
                ("ring_depth", "depth"),
                ("ring_depth_high_water", "high_water"),
            ):
                read = partial(getattr, consumer, attribute)
                self.metrics.watch(figure, read, sink=sink, table=name)
        return made

    def next_numbers(self) -> dict[str, int]:
        """Give the numbers that come next, as `first_numbers`."""
        return {
            GAP_ID: self.ledger.next_gap_id,
            **{name: ring.next_seq for name, ring in self.rings.items()},
        }

    @property
    def messages(self) -> int:
        """Data messages decoded."""
        return int(self.registry.total("messages"))

    def _program(self, source: SourcePlan, plan: FeedPlan) -> Program:
        """Give what a source's decoder runs; sources that are alike share it."""
        aliases = tuple(sorted(source.aliases.items()))
        # By what it is and not by its name: a program may have venues of its own. The sources keep
        # them alive.
        key = (id(source.venue), source.settings.extras, tuple(source.tables), aliases)
        if key not in self._programs:
            self._programs[key] = Program(
                source.venue.name,
                source.venue.declared(extras=source.settings.extras),
                _known_tables(source, plan),
                wanted=source.tables,
                aliases=source.aliases,
                number=counted_at(source.venue),
            )
        return self._programs[key]

    def _source(
        self,
        source: SourcePlan,
        plan: FeedPlan,
        hold_bytes: int,
        limit: MessageLimit,
        metrics: Metrics,
    ) -> SourcePipeline:
        program = self._program(source, plan)
        splice, follower, checksums = kernels_of(source, hold_bytes)
        decoder = Decoder(
            program,
            {name: self.rings[name] for name in source.tables},
            self.dictionaries,
            venue=source.venue.name,
            symbols=source.symbols,
            quarantine=self._quarantine,
            splice=splice,
            follower=follower,
            checksums=checksums,
            read_to_ring=self.read_to_ring,
            limit=limit,
            metrics=metrics,
        )
        for name in decoder.optional_columns:
            metrics.watch("unreadable_values", partial(_unreadable, decoder, name), column=name)
        for name in ("duplicate_trades", "conflicting_trades"):
            metrics.watch(name, partial(getattr, decoder, name))
        for table in source.tables:
            metrics.watch("unconfigured_rows", partial(_unconfigured, decoder, table), table=table)
        parts = Parts(source.connections)
        watch_symbols(
            source,
            parts,
            self._n_sessions,
            {name: self.streams[name] for name in source.tables},
            self.dictionaries.symbol,
            metrics,
        )
        staleness = tuple(
            Staleness(
                source,
                connection,
                self._n_sessions + number,
                {name: self.streams[name] for name in source.tables},
                self.dictionaries.symbol,
                metrics,
                part_of=partial(self._part, parts, self._n_sessions, number),
            )
            for number, connection in enumerate(source.connections)
        )
        gaps = self._gaps(source, parts, decoder)
        if checksums is not None:
            self._checksums[source.venue.name] = checksums
        books: Books | FollowedBooks | None = None
        if follower is not None:
            books = FollowedBooks(
                source.venue,
                follower,
                checksums,
                self.dictionaries.symbol,
                source.spliced,
                gaps,
                metrics,
                self.failures,
            )
        if splice is not None:
            metrics.watch("held_messages_dropped", partial(getattr, splice.held, "n_dropped"))
            books = Books(
                source.venue,
                splice,
                decoder,
                self.dictionaries.symbol,
                self.ledger,
                gaps.books,
                metrics,
                self.failures,
            )
        backfiller = None
        if gaps.holes is not None:
            backfiller = Backfiller(
                source, decoder, gaps, self.ledger, self.backfilled, metrics, self.failures
            )
        made = SourcePipeline(
            source, decoder, books, gaps, staleness, metrics, self.failures, backfiller,
            Drift(source.venue, metrics),
        )  # fmt: skip
        made.look_for_drift()
        return made

    @staticmethod
    def _part(parts: Parts, first: int, connection: int, subscription: Subscription) -> int:
        """Give the number under which the rows of a subscription are known."""
        return first + parts.number(connection, subscription.table, subscription.channel)

    def _gaps(self, source: SourcePlan, parts: Parts, decoder: Decoder) -> StreamGaps:
        holes, counted = None, {}
        if not self._replays and not source.is_elsewhere:
            channels = source.settings.channels
            counted = {
                each.channel: decoder.backfills.memory_of(each.message)
                for each in source.venue.backfills
                if each.counts_by_one and each.channel in channels
            }
        if source.backfills and not self._replays:
            memories = {
                each.channel: decoder.backfills.memory_of(each.message) for each in source.backfills
            }
            holes = Holes(decoder.seen, memories, lambda: self.ledger.monotonic())
        gaps = StreamGaps(
            self.ledger,
            source.venue.name,
            {name: self.streams[name] for name in source.tables},
            self.dictionaries.symbol,
            first_session=self._n_sessions,
            silence_floor_s=source.settings.silence_floor_s,
            trades=decoder.seen,
            holes=holes,
            numbers=decoder.seen,
            counted=counted,
        )
        self._n_sessions += parts.n_numbers
        for (number, table), of_channels in parts.divided.items():
            gaps.divide(number, table, of_channels)
        for number, connection in enumerate(source.connections):
            for each in connection.subscriptions:
                spliced = source.is_spliced(each)
                # A subscription may cover symbols by name, as Hyperliquid's of all mids.
                symbols = source.settings.symbols if each.symbol == "*" else (each.symbol,)
                for symbol in symbols:
                    gaps.add(
                        number,
                        each.table,
                        symbol,
                        each.key,
                        spliced=spliced,
                        channel=each.channel,
                        silent=source.is_of_users(each),
                    )
        return gaps


def ring_rows(feed: Feed, table: str) -> int:
    """Give how many rows the ring of a table holds."""
    return min(feed.ring_rows, SYSTEM_ROWS) if table in QUIET_TABLES else feed.ring_rows


def _unreadable(decoder: Decoder, column: str) -> int:
    return decoder.unreadable_values.get(column, 0)


def _unconfigured(decoder: Decoder, table: str) -> int:
    return decoder.unconfigured_rows.get(table, 0)


def _known_tables(source: SourcePlan, plan: FeedPlan) -> dict[str, Table]:
    """Give the feed's tables, and those that only messages not asked for would feed."""
    own = source.venue.extras if source.settings.extras else {}
    others = {name: table.with_extras(own.get(name, ())) for name, table in TABLES.items()}
    return others | plan.tables
