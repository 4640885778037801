"""What lies between the sockets and the sinks: rings, dictionaries, programs, decoders, splices.

A live feed and a replay build the same pipeline, so the same text gives the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tickwire.book import BookSplice
from tickwire.decode import Decoder, MessageLimit, Program
from tickwire.feed.books import Books
from tickwire.feed.planning import FeedPlan, SourcePlan
from tickwire.ledger import Ledger
from tickwire.observe import Histogram
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import SYSTEM_TABLES, TABLES, Table

# The feed's own tables are quiet; at 4 KiB of payload a row, quarantine keeps 64 MiB.
SYSTEM_ROWS = 16_384


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
    """

    plan: SourcePlan
    decoder: Decoder
    books: Books | None


class Pipeline:
    """Everything that rows pass on their way to the consumers.

    Parameters
    ----------
    plan
        The feed's.
    first_seq
        Table to the sequence number of its first row.
    blocks
        Full rings wait for their consumers whatever the configuration says (a replay).
    max_messages
        How many data messages to decode; 0: no limit.
    """

    def __init__(
        self,
        plan: FeedPlan,
        first_seq: Mapping[str, int],
        *,
        blocks: bool = False,
        max_messages: int = 0,
    ) -> None:
        feed = plan.config.feed
        self.dictionaries = Dictionaries()
        self.read_to_ring = Histogram()
        self.read_to_batch = Histogram()
        self.rings = {
            name: Ring(
                table,
                min(feed.ring_rows, SYSTEM_ROWS) if name in SYSTEM_TABLES else feed.ring_rows,
                self.dictionaries,
                overflow="block" if blocks else feed.overflow,
                seq_base=first_seq[name],
            )
            for name, table in plan.tables.items()
        }
        self._sink_consumers: list[Consumer] = []
        self.ledger = Ledger(self.rings["gaps"], self.rings["sessions"])
        limit = MessageLimit(max_messages)
        self.sources = tuple(
            self._source(source, plan, feed.hold_bytes, limit) for source in plan.sources
        )

    def consumers(self, tables: tuple[str, ...]) -> dict[str, Consumer]:
        """Give a sink its consumers."""
        made = {name: Consumer(self.rings[name]) for name in tables}
        self._sink_consumers += made.values()
        return made

    def depth(self) -> float:
        """Give how full the fullest ring is with rows that a sink has not taken, 0 to 1."""
        fill = (each.available / each.ring.capacity for each in self._sink_consumers)
        return max(fill, default=0.0)

    def next_seq(self) -> dict[str, int]:
        """Give each table's number of the row that comes next."""
        return {name: ring.next_seq for name, ring in self.rings.items()}

    @property
    def messages(self) -> int:
        """Data messages decoded."""
        return sum(source.decoder.messages for source in self.sources)

    def _source(
        self, source: SourcePlan, plan: FeedPlan, hold_bytes: int, limit: MessageLimit
    ) -> SourcePipeline:
        program = Program(
            source.venue.name,
            source.venue.declared(extras=source.settings.extras),
            _known_tables(source, plan),
            wanted=source.tables,
            aliases=source.aliases,
        )
        splice = None
        if source.spliced and source.venue.book is not None:
            splice = BookSplice(source.venue.book.rule)
        decoder = Decoder(
            program,
            {name: self.rings[name] for name in source.tables},
            self.dictionaries,
            venue=source.venue.name,
            symbols=source.settings.symbols,
            quarantine=self.rings["quarantine"],
            admission=splice,
            read_to_ring=self.read_to_ring,
            limit=limit,
            hold_bytes=hold_bytes,
        )
        books = None
        if splice is not None:
            books = Books(source.venue, splice, decoder, self.dictionaries.symbol, self.ledger)
        return SourcePipeline(source, decoder, books)


def _known_tables(source: SourcePlan, plan: FeedPlan) -> dict[str, Table]:
    """Give the feed's tables, and those that only messages not asked for would feed."""
    own = source.venue.extras if source.settings.extras else {}
    others = {name: table.with_extras(own.get(name, ())) for name, table in TABLES.items()}
    return others | plan.tables
