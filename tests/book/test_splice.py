"""The splice against a plain Python model, on made-up chains and on the chains of real captures."""

import json
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import read_messages, read_rest
from tests.reference.binance import Splice

from tickwire.book import BookSplice

MARKETS = {"first_is_next": "spot", "first_covers": "futures"}
NO_ID = -(2**63)


class Driver:
    """Does what a feed does with a splice."""

    def __init__(self, rule: str) -> None:
        self.splice = BookSplice(rule)
        self.known: dict[int, dict[int, tuple[int, int, int]]] = defaultdict(dict)

    def delta(self, symbol: int, delta: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        self.known[symbol][delta[1]] = delta
        return [delta] if self.splice.offer(symbol, *delta) == "admit" else []

    def snapshot(self, symbol: int, last_id: int) -> list[object]:
        if not self.splice.wants(symbol, early=True) or not self.splice.fits(symbol, last_id):
            return []
        self.splice.snapshot(symbol, last_id)
        released = [self.known[symbol][last] for last in self.splice.release()]
        return [("snapshot", last_id), *released]


@st.composite
def events(draw: st.DrawFn) -> list[tuple[int, str, tuple[int, int, int] | int]]:
    """Chains of several symbols with losses, repetitions and snapshots old and new."""
    found: list[tuple[int, str, tuple[int, int, int] | int]] = []
    next_id = {symbol: draw(st.integers(1, 50)) for symbol in (0, 3, 200)}
    previous = {symbol: first - 1 for symbol, first in next_id.items()}
    for _ in range(draw(st.integers(1, 40))):
        symbol = draw(st.sampled_from(sorted(next_id)))
        step = draw(st.sampled_from(("delta",) * 6 + ("lost", "again", "snapshot", "snapshot")))
        # On futures a delta's ids may leave a gap that `pu` explains.
        first = next_id[symbol] + draw(st.integers(0, 2))
        last = first + draw(st.integers(0, 3))
        delta = (first, last, previous[symbol])
        if step == "snapshot":
            found.append((symbol, step, next_id[symbol] + draw(st.integers(-8, 3))))
            continue
        if step == "again":
            repeated = [event[2] for event in found if event[0] == symbol and event[1] == "delta"]
            if repeated:
                found.append((symbol, "delta", draw(st.sampled_from(repeated))))
            continue
        next_id[symbol], previous[symbol] = last + 1, last
        if step == "delta":
            found.append((symbol, "delta", delta))
    return found


@pytest.mark.parametrize("rule", MARKETS)
@given(events=events())
def test_agrees_with_the_model(rule: str, events: list) -> None:
    driver = Driver(rule)
    models: dict[int, Splice] = defaultdict(lambda: Splice(MARKETS[rule]))
    for symbol, kind, value in events:
        model = models[symbol]
        if kind == "snapshot":
            expected = model.snapshot(value, [("snapshot", value)])  # type: ignore[list-item]
            assert driver.snapshot(symbol, value) == expected
        else:
            first, last, previous = value
            if rule == "first_is_next":
                previous = first - 1
            delta = (first, last, previous)
            assert driver.delta(symbol, delta) == model.delta((*delta, [delta]))  # type: ignore[list-item]
        assert driver.splice.held.count(symbol) == len(model.held)
    waiting = {symbol for symbol, model in models.items() if model.held}
    assert set(driver.splice.waiting()) == waiting
    assert driver.splice.n_waiting == len(waiting)


def test_spot_keeps_the_first_delta_that_covers_the_next_id() -> None:
    splice = BookSplice("first_is_next")
    for delta in ((90, 95, 89), (96, 100, 95), (101, 104, 100), (105, 106, 104)):
        assert splice.offer(0, *delta) == "hold"
    assert splice.waiting() == [0]
    splice.snapshot(0, 100)
    assert splice.phase(0) == "snapped"
    assert splice.n_releasing == 1
    assert splice.release() == [104, 106]
    assert (splice.n_releasing, splice.held.count(0)) == (0, 0)
    splice.reset()
    splice.snapshot(0, 100)
    assert splice.offer(0, 90, 95, 89) == "refuse"
    assert splice.offer(0, 96, 100, 95) == "refuse"  # u <= lastUpdateId
    assert splice.offer(0, 101, 104, 100) == "admit"  # U <= lastUpdateId + 1 <= u
    assert splice.offer(0, 105, 106, 104) == "admit"
    assert splice.phase(0) == "live"
    assert splice.last_id(0) == 106
    assert splice.waiting() == []


def test_futures_keep_a_delta_that_ends_at_the_snapshot() -> None:
    splice = BookSplice("first_covers")
    assert splice.offer(0, 90, 95, 89) == "hold"
    splice.snapshot(0, 100)
    assert splice.offer(0, 90, 99, 89) == "refuse"  # u < lastUpdateId
    assert splice.offer(0, 97, 100, 99) == "admit"  # U <= lastUpdateId <= u
    assert splice.offer(0, 105, 106, 100) == "admit"  # pu == previous u
    assert splice.offer(0, 107, 108, 105) == "hold"


def test_futures_take_a_delta_that_follows_the_snapshot_exactly() -> None:
    splice = BookSplice("first_covers")
    splice.snapshot(0, 100)
    assert splice.offer(0, 103, 106, 100) == "admit"


def test_a_break_makes_the_symbol_wait_again_and_tells() -> None:
    splice = BookSplice("first_is_next")
    splice.snapshot(7, 10)
    assert splice.offer(7, 11, 12, 10) == "admit"
    assert splice.take_broken() == []
    assert splice.offer(7, 14, 15, 13) == "hold"
    assert splice.n_breaks == 1
    assert splice.take_broken() == [(7, 1)]
    assert splice.take_broken() == []
    assert splice.waiting() == [7]
    assert not splice.fits(7, 12)  # 13 would be missing
    assert splice.fits(7, 13)
    splice.snapshot(7, 13)
    assert splice.offer(7, 14, 15, 13) == "admit"


def test_who_listens_is_called_once_for_a_wait_and_for_a_break() -> None:
    splice = BookSplice("first_is_next")
    told: list[str] = []
    splice.listen(lambda: told.append("waits"))
    assert splice.offer(0, 1, 5, 0) == "hold"
    assert splice.offer(1, 1, 5, 0) == "hold"
    assert told == ["waits"]
    splice.snapshot(7, 10)
    splice.listen(lambda: told.append("broken"))
    assert splice.offer(7, 11, 12, 10) == "admit"
    assert told == ["waits"]
    assert splice.offer(7, 14, 15, 13) == "hold"
    assert told == ["waits", "broken"]
    splice.listen(None)
    assert splice.offer(2, 1, 5, 0) == "hold"
    assert told == ["waits", "broken"]


def test_a_hole_that_another_connection_may_fill_is_told() -> None:
    splice = BookSplice("first_is_next")
    splice.is_shared = True
    splice.snapshot(0, 10)
    assert splice.offer(0, 11, 12, 10) == "admit"
    told: list[str] = []
    splice.listen(lambda: told.append("hole"))
    assert splice.offer(0, 14, 15, 13) == "hold"
    assert (told, splice.n_ahead) == (["hole"], 1)


def test_a_snapshot_older_than_what_is_held_does_not_fit() -> None:
    splice = BookSplice("first_is_next")
    assert splice.fits(0, 1)  # nothing is held yet
    assert splice.offer(0, 50, 52, 49) == "hold"
    assert splice.offer(0, 53, 54, 52) == "hold"
    assert not splice.fits(0, 48)
    assert splice.fits(0, 49)
    # Used all the same, the first delta shows the hole, and a newer snapshot is asked for.
    splice.snapshot(0, 40)
    assert splice.offer(0, 50, 52, 49) == "hold"
    assert splice.waiting() == [0]


def test_a_loss_just_behind_a_snapshot_is_a_break() -> None:
    splice = BookSplice("first_is_next")
    assert splice.offer(0, 1, 4, 0) == "hold"
    splice.snapshot(0, 6)
    assert splice.release() == []  # older than the snapshot
    assert splice.phase(0) == "snapped"
    assert splice.offer(0, 9, 9, 8) == "hold"
    assert splice.take_broken() == [(0, 2)]
    assert splice.waiting() == [0]


def test_a_repeated_delta_is_refused_and_breaks_nothing() -> None:
    splice = BookSplice("first_is_next")
    splice.snapshot(0, 10)
    assert splice.offer(0, 11, 12, 10) == "admit"
    assert splice.offer(0, 11, 12, 10) == "refuse"
    assert splice.offer(0, 13, 13, 12) == "admit"
    assert splice.n_breaks == 0


def test_symbols_are_independent_and_many() -> None:
    splice = BookSplice("first_is_next")
    for symbol in range(0, 10_000, 7):
        assert splice.offer(symbol, 5, 6, 4) == "hold"
    splice.snapshot(700, 4)
    assert splice.offer(700, 5, 6, 4) == "admit"
    assert splice.n_waiting == len(range(0, 10_000, 7)) - 1
    assert splice.phase(701) == "unseen"


def test_reset_forgets_one_symbol_or_all() -> None:
    splice = BookSplice("first_is_next")
    for symbol in (1, 2, 3):
        splice.offer(symbol, 5, 6, 4)
    splice.reset(2)
    assert splice.waiting() == [1, 3]
    splice.snapshot(1, 4)
    splice.reset()
    assert splice.waiting() == []
    assert splice.n_waiting == 0
    assert splice.phase(1) == "unseen"
    assert splice.last_id(1) is None
    splice.reset(123_456)  # never seen: nothing to forget


def test_a_delta_without_ids_is_refused() -> None:
    splice = BookSplice("first_is_next")
    assert splice.offer(0, NO_ID, 5, 4) == "refuse"
    assert splice.offer(0, 5, NO_ID, 4) == "refuse"
    assert splice.offer(-1, 5, 6, 4) == "refuse"
    with pytest.raises(ValueError, match="no symbol code"):
        splice.snapshot(-1, 5)


def test_ids_at_the_ends_of_their_range() -> None:
    largest = 2**63 - 1
    for rule in MARKETS:
        splice = BookSplice(rule)
        splice.snapshot(0, largest)
        assert splice.offer(0, largest - 1, largest, largest - 2) in ("admit", "refuse")
        splice = BookSplice(rule)
        splice.snapshot(0, -largest)
        assert splice.offer(0, largest, largest, largest - 1) == "hold"


def test_a_hole_between_held_deltas_waits_for_another_snapshot() -> None:
    splice = BookSplice("first_is_next")
    for i in (1, 2, 5, 6):
        assert splice.offer(0, i, i, i - 1) == "hold"
    splice.snapshot(0, 0)
    assert splice.release() == [1, 2]
    assert (splice.phase(0), splice.held.count(0), splice.n_releasing) == ("waiting", 2, 0)
    assert splice.take_broken() == [(0, 2)]
    assert not splice.fits(0, 3)
    splice.snapshot(0, 4)
    assert splice.release() == [5, 6]


def test_an_end_forgets_at_once_what_waits_and_later_what_is_released() -> None:
    splice = BookSplice("first_is_next")
    for symbol in (1, 2, 3):
        splice.offer(symbol, 5, 6, 4, payload=b"x", ts_recv=symbol, conn=9)
    splice.snapshot(2, 4)
    for symbol in (1, 2, 4):
        splice.end(symbol)
    assert (splice.phase(1), splice.phase(2), splice.phase(3)) == ("unseen", "snapped", "waiting")
    assert splice.held.n_bytes == 2
    assert splice.release() == [6]
    assert splice.phase(2) == "unseen"
    splice.snapshot(3, 4)
    assert splice.drop_unreleased() == [(3, 9, 3, 3)]
    assert splice.release() == []


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="first_is_next, first_covers"):
        BookSplice("second")


@pytest.mark.captures
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("first_is_next", "binance/hbt-spot-btcusdt_20240808"),
        ("first_covers", "binance/hbt-usdm-btcusdt_20240808"),
        ("first_covers", "binance/hbt-coinm-btcusd_perp_20240808"),
        ("first_is_next", "binance/cf-binance-20210405-b38f7c"),
    ],
)
def test_the_chains_of_real_captures_hold(rule: str, name: str) -> None:
    messages = [message for message in read_messages(name) if b"depthUpdate" in message.payload]
    timeline = sorted(
        [(message.ts_recv, 1, message.payload, "") for message in messages]
        + [(answer.ts_recv, 0, answer.payload, answer.symbol) for answer in read_rest(name)]
    )
    driver = Driver(rule)
    codes: dict[str, int] = {}
    chains: dict[int, list] = defaultdict(list)
    n_deltas = 0
    for _, is_delta, payload, symbol in timeline:
        data = json.loads(payload)
        if is_delta:
            data = data["data"]
            code = codes.setdefault(data["s"], len(codes))
            delta = (data["U"], data["u"], data.get("pu", data["U"] - 1))
            chains[code] += driver.delta(code, delta)
            n_deltas += 1
        else:
            code = codes.setdefault(symbol, len(codes))
            chains[code] += driver.snapshot(code, data["lastUpdateId"])
    assert n_deltas > 1000
    assert driver.splice.n_breaks == 0
    assert driver.splice.waiting() == []
    for chain in chains.values():
        kind, snapshot_id = chain[0]
        assert kind == "snapshot"
        overlap = snapshot_id + 1 if rule == "first_is_next" else snapshot_id
        assert chain[1][0] <= overlap <= chain[1][1]
        assert all(later[2] == earlier[1] for earlier, later in pairwise(chain[1:]))
    assert sum(map(len, chains.values())) > 0.98 * n_deltas
