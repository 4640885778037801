"""How a venue's books begin, continue and are repaired: the words of a `BookRule`.

Rules of this file
------------------
- What `__all__` names is what declarations import from `tickwire.venues`.
- A rule is data, made by the functions below; nothing here follows a book. `tickwire.book` does.
- Where the numbers stand in a message is for its rows to say: `venue_seq`, `venue_prev_seq`,
  `first_seq`, `checksum`, `is_snapshot`. `NEEDED` has what each chain cannot do without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BookRule",
    "checksum",
    "counted",
    "crc32",
    "empty",
    "first_message",
    "in_band",
    "linked",
    "none",
    "per_connection",
    "ranges",
    "rest",
]

ChainKind = Literal["linked", "counted", "ranges", "per_connection", "checksum", "none"]
BeginKind = Literal["in_band", "rest", "first_message", "empty"]
Repair = Literal["resubscribe", "rest", "reconnect"]

# What a change must name, by chain.
NEEDED: dict[ChainKind, tuple[str, ...]] = {
    "linked": ("venue_seq", "venue_prev_seq"),
    "counted": ("venue_seq",),
    "ranges": ("first_seq", "venue_seq"),
    "per_connection": (),
    "checksum": ("checksum",),
    "none": (),
}


@dataclass(frozen=True, slots=True)
class Crc32:
    """A checksum of the best levels; made by `crc32`."""

    levels: int
    order: Literal["sides", "interleaved"]
    text: Literal["digits", "plain"]
    separator: str
    decimals: Literal["learned", "shortest"]


def crc32(
    *,
    levels: int = 10,
    order: Literal["sides", "interleaved"] = "sides",
    text: Literal["digits", "plain"] = "digits",
    separator: str = "",
    decimals: Literal["learned", "shortest"] = "learned",
) -> Crc32:
    """Declare a CRC32 (IEEE 802.3) over the text of the best levels.

    Parameters
    ----------
    levels
        How many of each side; fewer where a side has fewer.
    order
        `sides`: all asks, then all bids, the best first (Kraken). `interleaved`: the best bid, the
        best ask, the second bid and so on (OKX, Bitget, Bitfinex as they were).
    text
        Of a number: `digits` without its point and its leading zeros, or `plain`.
    separator
        Between numbers.
    decimals
        `learned`: as many as the venue's own text has, by symbol, for prices and for sizes.
        `shortest`: as few as tell the number from others.
    """
    return Crc32(levels, order, text, separator, decimals)


@dataclass(frozen=True, slots=True)
class Chain:
    """How a change shows that none before it is missing; made by the functions below."""

    kind: ChainKind
    step: int = 1
    restart: int | None = None
    path: str = ""
    crc: Crc32 | None = None


def linked() -> Chain:
    """Each change names the one before it: `venue_prev_seq` is the last `venue_seq`."""
    return Chain("linked")


def counted(step: int = 1, restart: int | None = None) -> Chain:
    """Each `venue_seq` of a symbol is the last one and `step`.

    Parameters
    ----------
    step
        From one to the next.
    restart
        The number from which the venue counts again when its service has restarted; that message
        is a snapshot, whatever it calls itself.
    """
    return Chain("counted", step=step, restart=restart)


def ranges() -> Chain:
    """Each `first_seq` is the number that follows the last `venue_seq`."""
    return Chain("ranges")


def per_connection(path: str) -> Chain:
    """Every message of a connection is counted, whatever it is and whosever.

    Parameters
    ----------
    path
        Where the number stands, from the message: `sequence_num`, `[-2]`. Messages that are known
        to lack it do not count.
    """
    return Chain("per_connection", path=path)


def checksum(crc: Crc32) -> Chain:
    """Nothing is numbered, but each message brings a checksum of the book after it.

    Parameters
    ----------
    crc
        How it is made; made by `crc32`. A change that leaves those levels as they are and is lost
        cannot be seen.
    """
    return Chain("checksum", crc=crc)


def none() -> Chain:
    """Nothing shows that a change is missing: the book is unverifiable."""
    return Chain("none")


@dataclass(frozen=True, slots=True)
class Begin:
    """What a book begins with; made by the functions below."""

    kind: BeginKind
    path: str = ""
    message: str = ""
    smaller: tuple[tuple[str, int], ...] = ()


def in_band() -> Begin:
    """A message with `is_snapshot`, on the same connection; each one begins the book again."""
    return Begin("in_band")


def rest(
    path: str, message: str = "snapshot", *, smaller: tuple[tuple[str, int], ...] = ()
) -> Begin:
    """A snapshot by REST, into which the changes are spliced: `linked` or `ranges`.

    Parameters
    ----------
    path
        Path and query of the request, with `{symbol}`.
    message
        Name of the Message of kind `snapshot` that decodes the answer.
    smaller
        Paths of smaller snapshots, the largest first, and how many of them a minute allows. Where
        a feed follows more books than `Limits.rest_per_min`, the first that is enough is used.
    """
    return Begin("rest", path, message, smaller)


def first_message() -> Begin:
    """The first message after a subscription is a snapshot, though none says so."""
    return Begin("first_message")


def empty() -> Begin:
    """A book begins empty, with the first change."""
    return Begin("empty")


@dataclass(frozen=True, slots=True)
class BookRule:
    """How the messages of a book fit together, and what is done when they do not.

    Parameters
    ----------
    chain
        How a change shows that none before it is missing.
    begin
        What a book begins with.
    depth
        How many levels of each side the subscription has, where the venue leaves it to the client
        to drop those past them; 0 where it does not. A function gives it for a channel as the
        configuration names it, such as `book:25`.
    orphan_deletes
        Whether it is usual that a level is removed which was never shown.
    repair
        What is done when the chain of a symbol breaks. `resubscribe`: the symbol alone is ended
        and asked for again. `rest`: another snapshot is fetched. `reconnect`: another connection
        is subscribed, and then the broken one closed.
    """

    chain: Chain
    begin: Begin = Begin("in_band")
    depth: int | Callable[[str], int] = 0
    orphan_deletes: bool = False
    repair: Repair = "resubscribe"

    @property
    def rule(self) -> str:
        """Which of `tickwire.book.RULES` fits a REST snapshot."""
        return "first_covers" if self.chain.kind == "linked" else "first_is_next"

    def depth_of(self, channel: str) -> int:
        """Give how many levels of each side a channel's book keeps; 0: all."""
        return self.depth(channel) if callable(self.depth) else self.depth
