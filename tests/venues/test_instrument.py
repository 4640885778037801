"""Names, and what venues list, by their recorded lists where there are any."""

import json
from collections import Counter
from collections.abc import Sequence
from os import environ
from pathlib import Path

import pytest

from tickwire.venues import Instrument, Name, load, parse_name
from tickwire.venues._instrument import decimals_of, step


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BTC-USDT", Name("BTC", "USDT")),
        ("BTC-USDT-PERP", Name("BTC", "USDT", is_perpetual=True)),
        ("BTC/USDT", Name("BTC", "USDT")),
        ("BTC/USDT:USDT", Name("BTC", "USDT", "USDT", is_perpetual=True)),
        *[
            (text, None)
            for text in ("BTCUSDT", "BTC-USDT-SWAP", "BTC-USD-261225", "BTC-PERP-INTX", "xyz:TSLA",
                         "BTC-PERPETUAL", "SOL_USDC-PERPETUAL", "BTCUSDT-25DEC26", "BTC-3JAN27",
                         "BTC-261225", "BTC-20261225",
                         "BTC/USDT:USDT-240628", "/USDT", "BTC/", "-", "BTC-", "BTC/USDT:", "@1")
        ],
    ],
)  # fmt: skip
def test_names(text: str, name: Name | None) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize(
    ("venue", "spot", "perpetual"),
    [
        ("okx", "BTC-USDT", "BTC-USDT-SWAP"),
        ("bybit", None, "BTCUSDT"),
        ("bybit-inverse", None, "BTCUSDT"),
        ("bybit-spot", "BTCUSDT", None),
        ("coinbase", "BTC-USDT", "BTC-PERP-INTX"),
        ("kraken", "BTC/USDT", None),
        ("binance", "BTCUSDT", None),
        ("binance-usdm", None, "BTCUSDT"),
        ("binance-coinm", None, "BTCUSDT_PERP"),
        ("hyperliquid", "BTC/USDT", "BTC"),
        ("binance-us", "BTCUSDT", None),
        ("aster", None, "BTCUSDT"),
        ("deribit", "BTC_USDT", "BTC_USDT-PERPETUAL"),
        ("bitget", "BTCUSDT", None),
        ("bitget-futures", None, "BTCUSDT"),
        ("bitget-inverse", None, "BTCUSDT"),
        ("bitget-usdc", None, "BTCUSDT"),
        ("gate", "BTC_USDT", None),
        ("gate-btc", None, "BTC_USDT"),
        ("gate-futures", None, "BTC_USDT"),
        ("kraken-futures", None, "PF_XBTUSDT"),
    ],
)
def test_every_venue_spells_the_names_that_its_market_has(
    venue: str, spot: str | None, perpetual: str | None
) -> None:
    spell = load(venue).spell
    assert spell is not None
    for is_perpetual, own in ((False, spot), (True, perpetual)):
        name = Name("BTC", "USDT", is_perpetual=is_perpetual)
        if own is not None:
            assert spell(name) == own
            continue
        has = "spot pairs alone, such as 'BTC-USDT'$"
        has = "contracts alone, such as 'BTC-USDT-PERP'$" if perpetual else has
        with pytest.raises(ValueError, match=has):
            spell(name)


def test_contracts_in_usdc_are_called_otherwise_at_bybit() -> None:
    spell = load("bybit").spell
    assert spell is not None
    assert spell(Name("BTC", "USDC", is_perpetual=True)) == "BTCPERP"


def test_a_list_of_more_than_a_page_is_not_taken_for_a_whole_one() -> None:
    with pytest.raises(ValueError, match="more than one page"):
        read("bybit", {"result": {"list": [], "nextPageCursor": "first%3DBTC"}})


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("0.10", 1), ("5", 0), ("1", 0), ("0.0000001", 7), ("1e-8", 8), ("", None)],
)
def test_decimals_of_a_step(text: str, decimals: int | None) -> None:
    assert decimals_of(text) == decimals
    assert step(text) == (float(text) if text else None)


def read(venue: str, answer: object, symbols: Sequence[str] = ()) -> list[Instrument]:
    found = load(venue)
    assert found.instruments is not None
    query = found.instruments(symbols)[0]
    payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return [each for each in query.read(payload) if isinstance(each, Instrument)]


def test_okx_asks_for_the_kinds_that_are_configured() -> None:
    okx = load("okx").instruments
    assert okx is not None

    def asked(*symbols: str) -> list[str]:
        return [query.path.partition("instType=")[2] for query in okx(symbols)]

    assert asked("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP") == ["SPOT", "SWAP"]
    assert asked() == ["FUTURES", "SPOT", "SWAP"]
    options = ("BTC-USD-261225-90000-C", "ETH-USD-261225-9000-P")
    assert asked(*options) == ["OPTION&instFamily=BTC-USD", "OPTION&instFamily=ETH-USD"]


def test_okx() -> None:
    plain = {"uly": "", "settleCcy": "", "ctVal": "", "ctType": "", "expTime": "", "state": "live"}
    spot = plain | {"instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT"}
    swap = plain | {"instType": "SWAP", "instId": "BTC-USD-SWAP", "baseCcy": "", "quoteCcy": ""}
    swap |= {"uly": "BTC-USD", "settleCcy": "BTC", "ctVal": "100", "ctType": "inverse"}
    steps = {"tickSz": "0.1", "lotSz": "0.00000001"}
    first, second = read("okx", {"data": [spot | steps, swap | steps]})
    assert first == Instrument(
        "BTC-USDT", "spot", "BTC", "USDT", tick_size=0.1, lot_size=1e-8, decimals=1, status="live"
    )
    assert (second.name, second.settle, second.inverse) == ("BTC-USD-PERP", "BTC", True)
    assert second.contract_size == 100.0


def test_kraken_spells_as_its_messages_do() -> None:
    pair = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "status": "online"}
    (found,) = read("kraken", {"error": [], "result": {"XXBTZUSD": pair}})
    assert (found.symbol, found.name) == ("BTC/USD", "BTC-USD")
    assert (found.tick_size, found.lot_size, found.decimals) == (0.1, 1e-8, 1)


def test_binance_and_hyperliquid() -> None:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.10"},
               {"filterType": "LOT_SIZE", "stepSize": "0.001"}]  # fmt: skip
    swap = {"symbol": "BTCUSDT", "contractType": "PERPETUAL", "baseAsset": "BTC",
            "quoteAsset": "USDT", "marginAsset": "USDT", "deliveryDate": 4133404800000,
            "filters": filters, "status": "TRADING"}  # fmt: skip
    (found,) = read("binance-usdm", {"symbols": [swap]})
    assert (found.name, found.tick_size, found.decimals) == ("BTC-USDT-PERP", 0.1, 1)
    assert (found.expiry_ns, found.inverse) == (None, False)
    meta = {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "OLD", "isDelisted": True}]}
    first, second = read("hyperliquid", meta)
    assert (first.name, first.lot_size, second.status) == ("BTC-USD-PERP", 1e-5, "delisted")


def test_names_of_contracts_in_dollars_and_usdc() -> None:
    for venue, quote, symbol in (
        ("deribit", "USD", "BTC-PERPETUAL"), ("bitget-usdc", "USDC", "BTCPERP"),
        ("gate-btc", "USD", "BTC_USD"), ("kraken-futures", "USD", "PF_XBTUSD"),
    ):  # fmt: skip
        spell = load(venue).spell
        assert spell is not None
        assert spell(Name("BTC", quote, is_perpetual=True)) == symbol


def test_deribit() -> None:
    deribit = load("deribit").instruments
    assert deribit is not None

    def asked(*symbols: str) -> list[str]:
        return [query.path.partition("kind=")[2] for query in deribit(symbols)]

    assert asked() == ["future", "spot"]
    assert asked("BTC-PERPETUAL", "BTC-25DEC26-90000-C", "BTC_USDC") == ["future", "option", "spot"]
    swap = {
        "instrument_name": "BTC-PERPETUAL",
        "kind": "future",
        "base_currency": "BTC",
        "quote_currency": "USD",
        "settlement_currency": "BTC",
        "is_active": True,
        "settlement_period": "perpetual",
        "instrument_type": "reversed",
        "tick_size": 0.5,
        "min_trade_amount": 10,
        "contract_size": 10,
        "expiration_timestamp": 32503708800000,
    }
    option = swap | {"instrument_name": "BTC-25DEC26-90000-C", "kind": "option",
                     "settlement_period": "month", "instrument_type": "reversed",
                     "expiration_timestamp": 1798185600000, "is_active": False}  # fmt: skip
    first, second = read("deribit", {"result": [swap, option]})
    assert (first.name, first.inverse, first.expiry_ns) == ("BTC-USD-PERP", True, None)
    assert (first.tick_size, first.decimals, first.lot_size) == (0.5, 1, 10)
    assert (second.kind, second.expiry_ns) == ("option", 1798185600000 * 10**6)
    assert (first.status, second.status) == ("open", "closed")


def test_bitget_and_gate() -> None:
    swap = {"symbol": "BTCUSD", "category": "COIN-FUTURES", "baseCoin": "BTC", "quoteCoin": "USD",
            "type": "perpetual", "pricePrecision": "1", "priceMultiplier": "0.1",
            "quantityMultiplier": "1", "status": "online"}  # fmt: skip
    dated = swap | {"symbol": "BTCUSDH26", "type": "delivery", "deliveryTime": "1774600000000"}
    spot = {"symbol": "BTCUSDT", "category": "SPOT", "baseCoin": "BTC", "quoteCoin": "USDT",
            "pricePrecision": "2", "status": "online"}  # fmt: skip
    first, second, third = read("bitget-inverse", {"data": [swap, dated, spot]})
    assert (first.name, first.inverse, first.settle) == ("BTC-USD-PERP", True, "BTC")
    assert (second.kind, second.expiry_ns) == ("future", 1774600000000 * 10**6)
    assert (third.name, third.tick_size, third.decimals) == ("BTC-USDT", 0.01, 2)
    pair = {"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "precision": 1,
            "amount_precision": 6, "trade_status": "tradable"}  # fmt: skip
    (found,) = read("gate", [pair])
    assert (found.name, found.tick_size, found.lot_size) == ("BTC-USDT", 0.1, 1e-6)
    contract = {"name": "BTC_USD", "type": "inverse", "order_price_round": "0.1",
                "order_size_min": 1, "quanto_multiplier": "0", "in_delisting": True}  # fmt: skip
    (found,) = read("gate-btc", [contract])
    assert (found.name, found.settle, found.contract_size) == ("BTC-USD-PERP", "BTC", 1.0)
    assert (found.decimals, found.status) == (1, "delisting")


@pytest.mark.captures
def test_kraken_futures() -> None:
    root = Path(environ["TICKWIRE_CAPTURES"])
    lines = (root / "kraken_futures/roq-tests.jsonl").read_bytes().splitlines()
    (answer,) = (line for line in lines if b'"instruments"' in line)
    found = {each.symbol: each for each in read("kraken-futures", answer)}
    assert (found["PI_XBTUSD"].name, found["PI_XBTUSD"].inverse) == ("BTC-USD-PERP", True)
    assert (found["PI_XBTUSD"].tick_size, found["PI_XBTUSD"].settle) == (0.5, "BTC")
    assert {each.kind for each in found.values()} == {"perpetual", "future"}


@pytest.mark.captures
def test_recorded_lists() -> None:
    """Of 800 contracts and 920 products each is read, and each name is spelled as its symbol."""
    root = Path(environ["TICKWIRE_CAPTURES"])
    bybit = read("bybit", (root / "bybit/rest-instruments-info-linear-20260809.json").read_bytes())
    assert Counter(each.kind for each in bybit) == {"perpetual": 760, "future": 40}
    coinbase = read("coinbase", (root / "coinbase/rest-products-20260809.json").read_bytes())
    assert len(coinbase) == 920
    for venue, found in (("bybit", bybit), ("coinbase", coinbase)):
        spell = load(venue).spell
        assert spell is not None
        for each in found:
            assert each.tick_size
            assert each.lot_size
            name = parse_name(each.name)
            if each.kind != "future":
                assert name is not None
                assert spell(name) == each.symbol
    (btc,) = (each for each in bybit if each.symbol == "BTCUSDT")
    assert (btc.tick_size, btc.lot_size, btc.decimals) == (0.1, 0.001, 1)
