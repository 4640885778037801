"""The memory of messages that the legs of a source share."""

from collections.abc import Sequence
from typing import Literal, final

from typing_extensions import Buffer

from tickwire.observe import Histogram

@final
class Legs:
    """The legs of one group of streams, and the messages that they have brought."""

    def __new__(cls, lateness: Sequence[Histogram | None] = ()) -> Legs: ...
    def join(self, number: int, *, is_complete: bool = True) -> Leg:
        """Take one more connection for a leg, from now on."""
    def clear(self) -> None:
        """Forget the messages and give back their memory; no connection may be there."""
    @property
    def n_legs(self) -> int:
        """Connections that are there."""
    @property
    def n_messages(self) -> int:
        """Messages that are remembered."""
    def count(self, number: int, what: Literal["first", "late", "lost", "refused"]) -> int:
        """Give what a leg has done."""

@final
class Leg:
    """A connection among the legs; made by `Legs.join`."""

    @property
    def legs(self) -> Legs: ...
    @property
    def number(self) -> int: ...
    def leave(self) -> None:
        """Be no leg any more; what it has not brought is lost."""
    def complete(self) -> None:
        """Note that it brings all from now on: what it does not bring is lost."""
    @property
    def is_quiet(self) -> bool:
        """Whether it has brought nothing since it is to bring all, and others have."""
    @property
    def is_behind(self) -> bool:
        """Whether it is too late for copies to be recognised; its messages are left out."""
    def offer(self, text: Buffer, mono_ns: int, *, repeats: bool = False) -> bool:
        """Offer a message as a decoder does, and take it; whether it is no copy."""
