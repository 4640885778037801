"""The synthetic market: the same for the same seed, never crossed, and its ids without holes."""

from decimal import Decimal

import pytest
from tests.sim.alike import one_of_each

from tickwire.sim.candles import INTERVALS, Candles, bounds_ms
from tickwire.sim.instruments import DEFAULT_SYMBOLS, VENUES, instrument
from tickwire.sim.market import LEVELS_MAX, Market

DAY_MS = 86_400_000
MONDAY_MS = 1_795_392_000_000 - 7 * DAY_MS  # 2026-11-16


def market(venue="hyperliquid", seed=0, **options):
    options.setdefault("clock_ms", lambda: MONDAY_MS)
    return Market(venue, DEFAULT_SYMBOLS[venue], seed, **options)


def described(event):
    trades = [(t.trade_id, t.is_buy, t.ticks, t.lots, t.entropy) for t in event.trades]
    changes = (event.changed_bids, event.changed_asks, event.touch_moved, event.first_id)
    return event.symbol.name, trades, changes


@pytest.mark.parametrize("venue", one_of_each(VENUES))
def test_a_seed_decides_everything(venue):
    first, same, other = market(venue, 3), market(venue, 3), market(venue, 4)
    events = [described(first.step()) for _ in range(500)]
    assert events == [described(same.step()) for _ in range(500)]
    assert events != [described(other.step()) for _ in range(500)]


@pytest.mark.parametrize("venue", one_of_each(VENUES))
def test_books_stay_sound_and_every_change_is_told(venue):
    made = market(venue)
    shadow = {
        name: (dict(symbol.bids.lots), dict(symbol.asks.lots))
        for name, symbol in made.symbols.items()
    }
    last_ids = {name: symbol.update_id for name, symbol in made.symbols.items()}
    trade_ids = set()
    n_trades = 0
    for _ in range(20_000):
        event = made.step()
        symbol = event.symbol
        assert last_ids[symbol.name] < event.first_id <= symbol.update_id
        n_changes = len(event.changed_bids) + len(event.changed_asks)
        assert symbol.update_id - event.first_id == n_changes - 1
        last_ids[symbol.name] = symbol.update_id
        assert symbol.bids.best < symbol.asks.best
        best = shadow[symbol.name]
        for trade in event.trades:
            # At the touch: the best price of the side that was there before.
            side = best[1] if trade.is_buy else best[0]
            key = max(side)
            assert trade.ticks == abs(key)
            assert 0 < trade.lots <= side[key]
            side[key] -= trade.lots
            if not side[key]:
                del side[key]
            trade_ids.add(trade.trade_id)
            n_trades += 1
        sides = ((1, event.changed_bids, symbol.bids), (-1, event.changed_asks, symbol.asks))
        for lots, (sign, changed, side) in zip(best, sides, strict=True):
            for price in changed:
                lots.pop(sign * price, None)
                if sign * price in side.lots:
                    lots[sign * price] = side.lots[sign * price]
    for name, symbol in made.symbols.items():
        assert shadow[name] == (symbol.bids.lots, symbol.asks.lots)
        for side in (symbol.bids, symbol.asks):
            assert side.keys == sorted(side.lots)
            assert side.lots.keys() == side.orders.keys()
            assert 20 < len(side.keys) <= LEVELS_MAX + 1
            assert min(side.lots.values()) > 0
            assert min(side.orders.values()) > 0
    assert len(trade_ids) == n_trades > 1000


def test_stamps_are_wall_times_and_nothing_was_printed_before():
    made = market(stamp=True)
    assert all(not symbol.recent for symbol in made.symbols.values())
    ids = [trade.trade_id for _ in range(2000) for trade in made.step().trades]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("venue", "symbol", "price", "size"),
    [
        ("hyperliquid", "BTC", "97432.0", "0.02"),
        ("hyperliquid", "ETH", "3512.0", "0.57"),
        ("binance", "BTCUSDT", "97432.00000000", "0.02000000"),
        ("binance-usdm", "BTCUSDT", "97432.00", "0.020"),
        ("binance-coinm", "BTCUSD_PERP", "97432.0", "20"),
    ],
)
def test_numbers_look_like_the_venues(venue, symbol, price, size):
    described = instrument(venue, symbol)
    assert described.price_text(described.start_ticks) == price
    lots = described.typical_lots if venue != "hyperliquid" or symbol == "BTC" else 5700
    lots = lots if symbol != "BTC" or venue != "hyperliquid" else 2000
    lots = {"binance": 2000, "binance-usdm": 20}.get(venue, lots)
    assert described.size_text(lots) == size
    assert described.size_text(0).strip("0.") == ""


@pytest.mark.parametrize("venue", one_of_each(VENUES))
def test_any_symbol_has_a_market_and_the_same_one_everywhere(venue):
    for name in ("X", "kPEPE", "xyz:NVDA", "@107", "PURR/USDC", "1000SHIBUSDT"):
        made = Market(venue, [name])
        for _ in range(200):
            made.step()
        again = instrument(venue, name)
        assert made.symbols[name].instrument.start_ticks == again.start_ticks
        ticks = again.start_ticks
        value = Decimal(again.price_text(ticks))
        assert value == Decimal(ticks) / 10**again.tick_decimals


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_follow_each_other_without_a_hole(interval):
    start = MONDAY_MS
    for _ in range(30):
        first, last = bounds_ms(interval, start)
        assert first <= start <= last
        assert bounds_ms(interval, last) == bounds_ms(interval, first) == (first, last)
        start = last + 1
        assert bounds_ms(interval, start)[0] == start


def test_weeks_start_on_monday_and_months_on_the_first():
    assert bounds_ms("1w", MONDAY_MS + 3 * DAY_MS)[0] == MONDAY_MS
    november_ms = MONDAY_MS - 15 * DAY_MS
    assert bounds_ms("1M", MONDAY_MS) == (november_ms, november_ms + 30 * DAY_MS - 1)


def test_a_trade_past_the_end_closes_a_candle():
    clock = [MONDAY_MS]
    made = market(clock_ms=lambda: clock[0])
    candles = Candles("1m")
    trades = []
    while len(trades) < 50:
        trades += made.step().trades
    closed = [candles.add(trade) for trade in trades]
    assert closed == [None] * len(trades)
    assert candles.running.n_trades == len(trades)
    assert candles.running.lots == sum(trade.lots for trade in trades)
    clock[0] += 60_000
    event = made.step()
    while not event.trades:
        event = made.step()
    old = candles.add(event.trades[0])
    assert (old.open_ms, old.n_trades) == (MONDAY_MS, len(trades))
    assert (candles.running.open_ms, candles.running.n_trades) == (MONDAY_MS + 60_000, 1)


@pytest.mark.parametrize(
    ("venue", "n_symbols", "kept"),
    [("binance", 2, 50_000), ("binance-usdm", 400, 2_000), ("hyperliquid", 2, 50)],
)
def test_the_trades_that_are_kept_have_a_bound(venue, n_symbols, kept):
    market = Market(venue, [f"S{number}USDT" for number in range(n_symbols)])
    assert {symbol.recent.maxlen for symbol in market.symbols.values()} == {kept}
