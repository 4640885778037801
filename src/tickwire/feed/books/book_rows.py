"""What the table `books` says of the books that a feed keeps.

Rules of this file
------------------
- A row is written where the state of a book changes, or its reason, and whenever it is asked for.
- The reader knows states; why a book is not live is noted here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tickwire.book import BookChecksums, BookOracle, BookReader
from tickwire.feed.plan.verifying import counted
from tickwire.ledger import Ledger
from tickwire.ring import Dictionaries, Ring

NO_CHAIN = "no_chain"  # the reason of an unverifiable book
NEVER = "no_snapshot"  # of one that waits
MEMORY = "memory"  # of one that has more levels than it may, or has got no memory for them


class BookRows:
    """Writes `books`.

    Parameters
    ----------
    reader, oracle
        Have the books, and what was compared.
    checksums
        By venue.
    dictionaries
        The feed's.
    ledger
        Writes rows, and has the feed's clock.
    ring
        Of the table `books`.

    Attributes
    ----------
    numbers
        Of the books of a venue and a symbol.
    reasons
        Why each book is not live; None: it is.
    """

    def __init__(
        self,
        reader: BookReader,
        oracle: BookOracle | None,
        checksums: Mapping[str, BookChecksums],
        dictionaries: Dictionaries,
        ledger: Ledger,
        ring: Ring,
    ) -> None:
        self._reader = reader
        self._oracle = oracle
        self._checksums = checksums
        self._dictionaries = dictionaries
        self._channels = dictionaries.of("channel")
        self._ledger = ledger
        self._ring = ring
        self.numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.reasons: dict[int, str | None] = {}

    def channel_of(self, number: int) -> str:
        """Give the name of a book's channel."""
        return self._channels.value(self._reader.channel(number))

    def find(self, venue: str, symbol: str, channel: str | None) -> int:
        """Give the number of a book; without a channel that of `book`, or the first.

        Raises
        ------
        KeyError
            There is none.
        """
        found = {
            self.channel_of(number): number for number in self.numbers.get((venue, symbol), ())
        }
        if not found:
            names = ", ".join(sorted({f"{v} {s}" for v, s in self.numbers})[:10])
            asked = f"{venue} {symbol}".strip()  # over HTTP a venue may be left out
            raise KeyError(f"no book of {asked}: one of {names}")
        if channel is None:
            channel = "book" if "book" in found else next(iter(found))
        if channel not in found:
            raise KeyError(f"no book of {symbol} in {channel}: one of {', '.join(found)}")
        return found[channel]

    def write_changes(self) -> None:
        """Write the changes of state that the reader has noted."""
        for number, before, state, ts_recv in self._reader.take_changes():
            if not before:
                found = self._reader.describe(number)
                key = (
                    self._dictionaries.venue.value(found["venue"]),
                    self._dictionaries.symbol.value(found["symbol"]),
                )
                self.numbers[key].append(number)
            if state == "waiting":
                self.reasons[number] = NEVER
            elif state != "broken":
                self.reasons[number] = NO_CHAIN if state == "unverifiable" else None
            elif self._reader.describe(number)["has_failed"]:
                self.reasons[number] = MEMORY
            self.write(number, self._ledger.clock() if ts_recv is None else ts_recv, state)

    def write(self, number: int, ts_recv: int, state: str | None = None) -> None:
        """Write a row.

        Parameters
        ----------
        number
            The book's.
        ts_recv
            When it became so.
        state
            Left out: as it is now.
        """
        found = self._reader.describe(number)
        venue = self._dictionaries.venue.value(found["venue"])
        checksums = self._checksums.get(venue) if found["is_verified"] else None
        checked = mismatched = None
        if checksums is not None:
            checked, mismatched = checksums.counts(found["symbol"])
        self._ledger.write(
            self._ring,
            {
                "venue": venue,
                "symbol": self._dictionaries.symbol.value(found["symbol"]),
                "channel": self.channel_of(number),
                "conn": found["conn"] if found["messages"] else None,
                "ts_event": found["ts_event"],
                "ts_recv": ts_recv,
                "state": state or found["state"],
                "reason": self.reasons.get(number),
                "levels": found["n_bids"] + found["n_asks"],
                "checked": checked,
                "mismatched": mismatched,
                "messages": found["messages"],
                "orphans": found["orphans"],
                "crossed": found["crossed"],
                "truncated": found["truncated"],
                **counted(None if self._oracle is None else self._oracle.counts(number)),
            },
        )
