"""A feed beside a model of it, and the trades that scripts are tried with."""

from __future__ import annotations

from collections.abc import Sequence

from tests.decode.declarations import TRADES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode.plan import Message
from tickwire.ring import Dictionaries

TRADE = '{"s":"%s","t":%s,"p":"%s","q":%s,"x":"y","m":"%s","i":%s}'


def listed(*trades: str) -> str:
    return '{{"e":"listed","data":[{}]}}'.format(",".join(trades))


def trade(number: object, symbol: str = "A", *, price: str = "1.5") -> str:
    return TRADE % (symbol, 1_700_000_000_123, price, "2", "b", number)


def usual(number: int, symbol: str = "A") -> str:
    return listed(trade(number, symbol))


class Pair:
    """A feed and the model of what it should say."""

    def __init__(self, messages: Sequence[Message], symbols: Sequence[str] = ("*",)) -> None:
        dictionaries = Dictionaries()
        dictionaries.symbol.code("B")  # another source has named it
        self.feed = Feed(messages, symbols=symbols, rows=4096, dictionaries=dictionaries)
        self.model = Model(messages, DATA, symbols)

    @property
    def n_scripted(self) -> int:
        return sum(self.feed.decoder.scripted.values())

    def read(self, payload: str) -> bool:
        """Read a message both ways, which must agree; whether a script has read it."""
        before = self.n_scripted
        expected = self.model.decode(payload.encode())
        assert self.feed.rows(payload) == (expected or {}), payload
        assert len(self.feed.reasons()) == (expected is None), payload
        decoder = self.feed.decoder
        counts = decoder.duplicate_trades, decoder.conflicting_trades
        assert counts == (self.model.n_duplicates, self.model.n_conflicts), payload
        return self.n_scripted == before + 1


def linked(messages: Sequence[Message], *learned: str, symbols: Sequence[str] = ("*",)) -> Pair:
    """A pair whose scripts read what comes, after some messages that it learns from."""
    pair = Pair(messages, symbols)
    for payload in learned:
        last = pair.read(payload)
    assert last
    return pair


def linked_trades(symbols: Sequence[str] = ("*",)) -> Pair:
    return linked(TRADES, usual(1), usual(2), usual(3), symbols=symbols)
