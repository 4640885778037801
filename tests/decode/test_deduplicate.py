"""Trades that come again, in messages that scripts read, against a list of what was delivered."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import numpy as np
import pytest
from tests.decode.declarations import TRADES
from tests.decode.delivered import KNOWN, Delivered
from tests.decode.feeds import Feed
from tests.decode.pairs import linked_trades, trade
from tests.decode.pairs import listed as listed_trades

pytestmark = pytest.mark.usefixtures("kernels")

Trades = list[tuple[str, str]]  # a symbol, and an id as the message spells it


def listed(trades: Trades, first: int, *, is_broken: bool = False) -> bytes:
    text = ",".join(
        f'{{"s":"{symbol}","t":7,"p":"1.5","q":{number},"x":"y","m":"b","i":{trade}}}'
        for number, (symbol, trade) in enumerate(trades, first)
    )
    if is_broken:
        text += ',{"s":"A","t":1,"p":"1.5","q":2,"x":"y","m":"anyone","i":1}'
    return f'{{"e":"listed","data":[{text}]}}'.encode()


class Connected:
    """A feed with several connections, and what it has delivered by symbol."""

    def __init__(self) -> None:
        self.feed = Feed(TRADES, rows=32_768)
        self.connections = [self.feed.decoder.connection(conn) for conn in range(3)]
        self.delivered: dict[str, Delivered] = defaultdict(Delivered)
        self.ids: dict[str, list[str]] = defaultdict(list)
        self.n_duplicates = 0
        self.number = 1  # of a trade, which is its size

    def read(self, trades: Trades, conn: int = 0, *, is_broken: bool = False) -> None:
        """Read a message and judge each of its trades; one that is broken leaves nothing."""
        payload = np.frombuffer(listed(trades, self.number, is_broken=is_broken), np.uint8).copy()
        assert self.connections[conn].decode(payload, 1)
        numbers: set[int] = set()
        while (batch := self.feed.consumers["trades"].take()) is not None:
            numbers.update(batch.column("size").to_numpy().astype(int))
        if is_broken:
            assert not numbers
        else:
            for number, (symbol, trade) in enumerate(trades, self.number):
                is_new = number in numbers
                self.delivered[symbol].check(trade.strip('"'), is_new=is_new)
                self.n_duplicates += not is_new
                if is_new:
                    self.ids[symbol].append(trade)
        self.number += len(trades)
        assert self.feed.decoder.duplicate_trades == self.n_duplicates
        assert self.feed.decoder.conflicting_trades == 0


def any_id(rng: Random, ids: list[str], number: int) -> str:
    """Give an id of a symbol that has had these: of any kind, new or not."""
    kind = rng.randrange(10)
    if kind < 3:
        return str(rng.getrandbits(50))
    if kind < 5:
        return str(2**50 + number)
    if kind < 8 and ids:
        return ids[-min(len(ids), rng.choice((1, 2, 40, KNOWN, KNOWN + 1, 2 * KNOWN)))]
    if kind == 8 and ids:
        return rng.choice(ids)
    return rng.choice(("0", "1", str(2**63), str(2**64), "-1", "-7", "9" * 18, '"7"', '"a-b"'))


@pytest.mark.parametrize("n_symbols", [1, 70])
@pytest.mark.parametrize("is_sequence", [True, False])
@pytest.mark.parametrize("n_before", [0, 4000, 8150, 12_250])
def test_any_ids_of_any_message(n_symbols: int, is_sequence: bool, n_before: int) -> None:
    rng = Random(n_before + n_symbols + is_sequence)
    connected = Connected()
    symbols = [f"S{number}" for number in range(n_symbols)]
    before = [str(n + 1 if is_sequence else rng.getrandbits(50)) for n in range(n_before)]
    for start in range(0, n_before, 250):
        connected.read([("S0", trade) for trade in before[start : start + 250]])
    connected.read([("S0", "5")])
    connected.read([("S0", "6")])
    before_scripted = sum(connected.feed.decoder.scripted.values())
    for _ in range(200):
        trades = []
        for _ in range(rng.choice((1, 1, 2, 20))):
            symbol = "S0" if rng.random() < 0.5 else rng.choice(symbols)
            trades.append((symbol, any_id(rng, connected.ids[symbol], connected.number)))
        if rng.random() < 0.3:
            connected.read(trades, rng.randrange(3), is_broken=True)
        connected.read(trades, rng.randrange(3))
    assert sum(connected.feed.decoder.scripted.values()) > before_scripted + 50


def test_random_ids_go_round_the_memory_in_scripts() -> None:
    rng = Random(3)
    connected = Connected()
    for _ in range(90):
        trades = [("A", str(rng.getrandbits(50))) for _ in range(200)]
        again = connected.ids["A"][-KNOWN:]
        if again:
            trades[:0] = [("A", trade) for trade in (again[0], again[-1], rng.choice(again))]
        connected.read(trades, rng.randrange(3))
    assert len(connected.ids["A"]) == 90 * 200
    assert connected.feed.decoder.scripted == {"listed": 89}


def test_connections_that_repeat_each_other() -> None:
    connected = Connected()
    for number in range(1, 600):
        for conn in range(3):
            connected.read([("A", str(number)), ("B", str(number % 7 * 1000 + number))], conn)
    assert connected.ids["A"] == [str(number) for number in range(1, 600)]
    assert len(connected.ids["B"]) == 599
    assert connected.feed.decoder.scripted == {"listed": 3 * 599 - 1}


def test_trades_of_one_id_that_differ_are_rows_of_their_own() -> None:
    pair = linked_trades()
    for number, prices in (
        (4, ("1", "2")),  # in one message, then repeated
        (4, ("1", "2")),
        (4, ("3",)),
        (2, ("1.5",)),
        (2, ("1.50", "7", "7")),
        (0, ("1", "2", "1")),
        (-5, ("1", "2", "1")),
        (5, ("1",)),
    ):
        pair.read(listed_trades(*(trade(number, price=price) for price in prices)))
    decoder = pair.feed.decoder
    assert (decoder.duplicate_trades, decoder.conflicting_trades) == (7, 5)


def test_trades_of_one_id_at_other_times_are_rows_of_their_own() -> None:
    pair = linked_trades()
    later = trade(3).replace("1700000000123", "1700003600123")
    assert later != trade(3)
    for _ in range(2):
        assert pair.read(listed_trades(later))
        assert pair.read(listed_trades(trade(3)))
    decoder = pair.feed.decoder
    assert (decoder.duplicate_trades, decoder.conflicting_trades) == (3, 1)


def test_what_a_broken_message_repeats_counts_not_at_all() -> None:
    pair = linked_trades()
    broken = trade(9).replace('"b"', '"anyone"')
    assert broken != trade(9)
    for _ in range(2):
        pair.read(listed_trades(trade(3), trade(3, price="2"), broken))
    decoder = pair.feed.decoder
    assert (decoder.duplicate_trades, decoder.conflicting_trades) == (0, 0)
    pair.read(listed_trades(trade(3), trade(3, price="2"), trade(9)))
    assert (decoder.duplicate_trades, decoder.conflicting_trades) == (1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_any_trades_of_few_ids_against_the_model(seed: int) -> None:
    rng = Random(seed)
    pair = linked_trades()
    for _ in range(150):
        trades = [
            trade(
                rng.choice((rng.randrange(40), f'"{rng.randrange(9)}x"', rng.getrandbits(50))),
                rng.choice("AB"),
                price=rng.choice(("1", "2", "3")),
            )
            for _ in range(rng.choice((1, 1, 5)))
        ]
        if rng.random() < 0.2:
            trades.append(trade(1).replace('"b"', '"anyone"'))
        pair.read(listed_trades(*trades))
    assert pair.feed.decoder.conflicting_trades > 20
