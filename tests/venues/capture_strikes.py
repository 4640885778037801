"""Strikes the book messages of a capture, one at a time, and tells what each came to.

Rules of this file
------------------
- A capture has no repair: after a strike nothing of the book may be published any more, or all of
  it as if nothing had happened. So each strike is of a process of its own, forked where the capture
  has come to: what is decoded there is what a run would have decoded, and the next strike finds the
  book whole.
- What a message says is read in plain Python (`book_messages`), and compared with the rows.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tests.reference import Message, RestAnswer, read_messages, read_rest
from tests.reference.rig import Rig, timeline
from tests.venues.book_messages import BookMessage, reader_of
from tests.venues.strike_scene import Outcome
from tests.venues.strikes import CASES, KINDS

from tickwire.venues import load

# Captures of today's formats; what has fewer messages of books is struck by its simulator alone.
CAPTURES = {
    "binance": "binance/hbt-spot-btcusdt_20240808",
    "binance-usdm": "binance/hbt-usdm-btcusdt_20240808",
    "binance-coinm": "binance/hbt-coinm-btcusd_perp_20240808",
    "bybit": "bybit/cfv3-bybit-20260809-linear",
    "coinbase": "coinbase/cfv3-coinbase-20260809-advanced",
    "kraken-futures": "kraken/cf-kraken_futures-20210722-ws1",
    "bitfinex": "bitfinex/cf-bitfinex-20210405-58bafb",
    "hyperliquid": "hyperliquid/hlarchive-l2book-btc-20240101-12-a",
}
AFTER = 6  # messages of a book behind a strike: the next one tells it
COLUMNS = ("symbol", "channel", "conn", "is_snapshot", "side", "price", "size", "last")

Published = list[tuple[bool, frozenset[tuple[str, float, float]]]]


class _Struck:
    """A capture that is decoded up to some message, and strikes of the next ones.

    Parameters
    ----------
    venue
        Whose it is.
    """

    def __init__(self, venue: str) -> None:
        name = CAPTURES[venue]
        self.case = CASES[venue]
        self.events = timeline(read_messages(name), read_rest(name))
        self.outcome = Outcome()
        reader = reader_of(venue)
        self.books: list[BookMessage | None] = [
            reader.book(json.loads(each.payload)) if isinstance(each, Message) else None
            for each in self.events
        ]
        self._of: dict[tuple[int, str], list[int]] = defaultdict(list)
        for at, book in enumerate(self.books):
            if book is not None:
                self._of[self._key(at)].append(at)
        self._following = {
            at: each[n + 1 : n + 1 + AFTER]
            for each in self._of.values()
            for n, at in enumerate(each)
            if len(each) > n + AFTER
        }
        self._begin()

    def _begin(self) -> None:
        rest = self.case.rest_path
        self.rig = Rig.of(load(self.case.venue), ["trades", "quotes", "book"],
                          book="" if rest else self.case.channel)  # fmt: skip

    def _key(self, at: int) -> tuple[int, str]:
        event, book = self.events[at], self.books[at]
        assert isinstance(event, Message)
        assert book is not None
        return event.conn, book.symbol

    def _is_live(self, symbol: str) -> bool:
        if self.case.each_is_whole:
            return True
        kernel: Any = self.rig.splice or self.rig.follower
        return bool(kernel.phase(self.rig.dictionaries.symbol.code(symbol)) == "live")

    def _feed(self, event: Message | RestAnswer) -> None:
        if isinstance(event, RestAnswer):
            last_id = json.loads(event.payload)["lastUpdateId"]
            self.rig.rest(event.symbol, event.payload, last_id, event.ts_recv, event.conn or 0)
        else:
            self.rig.message(event.payload, event.ts_recv, event.conn)

    def _take_causes(self) -> Counter[str]:
        """Say why books broke since the last look."""
        if self.rig.splice is not None:
            return Counter(["numbers"] * len(self.rig.splice.take_broken()))
        assert self.rig.follower is not None
        return Counter(what for _, what, *_ in self.rig.follower.take_news() if what != "begun")

    def untouched(self) -> list[int]:
        """Decode all as it is; gives the messages that can be struck."""
        found = []
        for at, (event, book) in enumerate(zip(self.events, self.books, strict=True)):
            is_live = book is not None and at in self._following and self._is_live(book.symbol)
            self._feed(event)
            if book is None:
                continue
            self.outcome.n_messages += 1
            if is_live and (not book.is_snapshot or self.case.each_is_whole):
                found.append(at)
        broken = self._take_causes()
        self.outcome.false += [f"{n} for {cause}, untouched" for cause, n in broken.items()]
        self._begin()
        return found

    def strike(self, strikes: dict[int, str]) -> Outcome:
        """Decode all once more, and strike these messages, each by itself."""
        for at, event in enumerate(self.events):
            if at in strikes:
                self._forget()
                self._note(strikes[at], at, self._forked(at, strikes[at]))
            self._feed(event)
            if at % 1000 == 0:
                self._forget()
        return self.outcome

    def _forget(self) -> None:
        self.rig.drain()
        for batches in self.rig.batches.values():
            batches.clear()

    def _note(self, kind: str, at: int, verdict: str) -> None:
        self.outcome.struck[kind] += 1
        if verdict == "found":
            self.outcome.n_found += 1
        elif verdict != "harmless":
            self.outcome.silent.append(f"{kind} of message {at}: {verdict}")

    def _forked(self, at: int, kind: str) -> str:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the rig has not
            child = os.fork()
        if child == 0:
            try:
                verdict = self._verdict(at, kind)
            except BaseException as error:
                verdict = repr(error)
            os.write(writing, verdict.encode()[:4000])
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            verdict = pipe.read().decode()
        os.waitpid(child, 0)
        return verdict or "its process died"

    def _verdict(self, at: int, kind: str) -> str:
        following = self._following[at]
        after = list(range(at + 1, following[-1] + 1))
        if kind == "drop":
            order = after
        elif kind == "repeat":
            order = [at, at, *after]
        else:
            changed = {following[0]: at}
            order = [following[0], *(changed.get(each, each) for each in after)]
        self._take_causes()
        for each in order:
            self._feed(self.events[each])
        causes, published = self._take_causes(), self._published(self._key(at))
        true = self._true([at, *following])
        if self.case.each_is_whole:
            mine = set(following) | {at}
            as_sent = self._true([each for each in order if each in mine])
            return "harmless" if published == as_sent and not causes else f"published {published}"
        if not causes:
            return "harmless" if published == true else f"no break, published {published}"
        cause = "connection" if self.case.is_whole else "numbers"
        if set(causes) != {cause}:
            return f"another cause: {causes}"
        is_right = published == true[: len(published)] and len(published) <= (kind == "repeat")
        return "found" if is_right else f"a break, and published {published}"

    def _true(self, places: Sequence[int]) -> Published:
        found: Published = []
        for at in places:
            book = self.books[at]
            assert book is not None
            found.append((book.is_snapshot, frozenset(book.levels)))
        return found

    def _published(self, key: tuple[int, str]) -> Published:
        found: Published = []
        levels: list[tuple[str, float, float]] = []
        rows = self.rig.table("book").select(COLUMNS).to_pylist()
        for row in rows:
            if (row["conn"], row["symbol"]) != key or row["channel"] != self.case.channel:
                continue
            if row["side"] is not None:
                levels.append((row["side"], row["price"], row["size"]))
            if row["last"]:
                found.append((row["is_snapshot"], frozenset(levels)))
                levels = []
        return found


def strike_capture(venue: str, n_strikes: int = 1000, seed: int = 7) -> Outcome:
    """Strike that many messages of a venue's capture, by chance."""
    struck = _Struck(venue)
    places = struck.untouched()
    rng = random.Random(seed)
    chosen = rng.sample(places, min(n_strikes, len(places)))
    return struck.strike({at: rng.choice(KINDS) for at in chosen})
