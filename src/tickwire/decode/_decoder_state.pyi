"""A source's decoder: its parts and its figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, final

from typing_extensions import Buffer, disjoint_base

from tickwire.book import BookChecksums, BookFollower, BookSplice
from tickwire.decode._backfill_decoder import BackfillDecoder
from tickwire.decode._seen import Seen
from tickwire.decode.contract import QuarantineTable
from tickwire.decode.program import Program
from tickwire.observe import Histogram, Metrics
from tickwire.ring import Dictionaries, Ring

@final
class MessageLimit:
    """How many data messages are taken, counted over all decoders that share it."""

    def __init__(self, most: int = 0) -> None: ...
    @property
    def most(self) -> int: ...
    @property
    def taken(self) -> int: ...
    @property
    def spent(self) -> bool: ...

@disjoint_base
class DecoderState:
    """What a source's decoder consists of, and its figures."""

    def __init__(
        self,
        program: Program,
        rings: Mapping[str, Ring],
        dictionaries: Dictionaries,
        *,
        venue: str,
        symbols: Sequence[str] = ("*",),
        quarantine: QuarantineTable | None = None,
        splice: BookSplice | None = None,
        follower: BookFollower | None = None,
        checksums: BookChecksums | None = None,
        read_to_ring: Histogram | None = None,
        limit: MessageLimit | None = None,
        metrics: Metrics | None = None,
    ) -> None: ...
    @property
    def program(self) -> Program: ...
    @property
    def backfills(self) -> BackfillDecoder:
        """Decodes answers of trades that were missed."""
    @property
    def messages(self) -> int: ...
    def messages_by_kind(self) -> dict[str, int]:
        """Messages of each declared kind, whatever became of them; those inside of others not."""
    @property
    def unknown_messages(self) -> int: ...
    @property
    def unrequested_messages(self) -> int: ...
    @property
    def errors(self) -> dict[str, int]: ...
    @property
    def scripted(self) -> dict[str, int]: ...
    @property
    def cached_levels(self) -> int:
        """Levels whose text was known from a message before."""
    @property
    def unreadable_values(self) -> dict[str, int]:
        """Optional values that could not be read and are null, by table and column."""
    @property
    def optional_columns(self) -> list[str]:
        """Tables and columns whose values may be null where they cannot be read."""
    @property
    def duplicate_trades(self) -> int:
        """Trades left out because they had been delivered: their id, time and price."""
    @property
    def conflicting_trades(self) -> int:
        """Trades written though one of their id, of another time or price, had been delivered."""
    @property
    def memories(self) -> dict[tuple[str, str | None], int]:
        """The memory of `seen` for each table and channel, as rows name it; None: for any."""
    @property
    def seen(self) -> Seen:
        """The ids of the trades that were delivered."""
    @property
    def unconfigured_rows(self) -> dict[str, int]:
        """Rows of symbols that the source does not name, by table; none of them was written."""
    def kind_of(self, payload: bytes) -> str | None:
        """Give the name of the declaration that a message is one of; None: of none."""
    def take_snapshot(
        self,
        message: str,
        payload: Buffer,
        *,
        symbol: str,
        ts_recv: int,
        conn: int,
        early: bool = False,
    ) -> Literal["spliced", "unwanted", "old", "full"]:
        """Decode a REST answer, splice it into its book and publish what was held for it."""
    def release_held(self) -> bool:
        """Publish the held deltas that have their snapshot; False where a ring is full."""
    def wait_for_room(self, callback: Callable[[], object]) -> bool:
        """Have it called when a consumer makes room in a ring that had none."""
    def forget_room(self, callback: Callable[[], object]) -> None:
        """Take back what `wait_for_room` asked for."""
