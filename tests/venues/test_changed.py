"""Messages like those before them but for one value: what was learned must not hide it."""

import json
import random
import re
from typing import Any

import pytest
from tests.reference import BinanceReference, HyperliquidReference, compare
from tests.reference.rig import Rig
from tests.reference.rows import Number

from tickwire.venues import load

CHANNELS = {
    "hyperliquid": ["trades", "quotes", "book", "candles:1m", "tickers", "mids"],
    "binance": ["trades", "quotes", "book", "candles:1m", "tickers"],
    "binance-usdm": ["trades", "quotes", "book", "candles:1m", "tickers", "liquidations"],
}
BASES = {
    "hyperliquid": [
        '{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"97432.5","sz":"0.1",'
        '"time":1730160007687,"hash":"0xab","tid":100700,"users":["0x1","0x2"]},{"coin":"ETH",'
        '"side":"A","px":"3432.5","sz":"10","time":1730160007688,"hash":"0xab","tid":100701,'
        '"users":["0x1","0x2"]}]}',
        '{"channel":"bbo","data":{"coin":"BTC","time":1730160007687,"bbo":[{"px":"98450",'
        '"sz":"2.5","n":3},{"px":"98451","sz":"1.25","n":12}]}}',
        '{"channel":"l2Book","data":{"coin":"BTC","time":1703875200000,"levels":[[{"px":"98450.5",'
        '"sz":"2.5","n":3},{"px":"98450","sz":"7","n":1}],[{"px":"98451.00","sz":"1.5","n":2}]]}}',
        '{"channel":"candle","data":{"t":60000,"T":119999,"s":"BTC","i":"1m","o":"1","c":"2",'
        '"h":"3","l":"0.5","v":"10","n":4}}',
        '{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"-0.0000015186",'
        '"openInterest":"27353.17682","dayNtlVlm":"1516669192.19","oraclePx":"77605.0",'
        '"markPx":"77562.0","midPx":"77558.5","dayBaseVlm":"19707.77457"}}}',
        '{"channel":"allMids","data":{"mids":{"BTC":"80868.5","@142":"80907.5"}}}',
    ],
    "binance": [
        '{"stream":"bnbbtc@trade","data":{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,'
        '"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}}',
        '{"stream":"bnbbtc@bookTicker","data":{"u":400900217,"s":"BNBUSDT","b":"25.35190000",'
        '"B":"31.21000000","a":"25.36520000","A":"40.66000000"}}',
        '{"stream":"bnbbtc@depth20","data":{"lastUpdateId":160,"bids":[["0.0024","10"],["0.0023",'
        '"1"]],"asks":[["0.0026","100"],["0.0027","5"]]}}',
        '{"stream":"bnbbtc@kline_1m","data":{"e":"kline","E":5,"s":"BNBBTC","k":{"t":60000,'
        '"T":119999,"s":"BNBBTC","i":"1m","o":"1","c":"2","h":"3","l":"0.5","v":"1","n":7,'
        '"x":false,"q":"1","V":"1","Q":"1"}}}',
        '{"stream":"bnbbtc@ticker","data":{"e":"24hrTicker","E":6,"s":"BNBBTC","c":"1","v":"2",'
        '"q":"3","o":"4","h":"5","l":"6"}}',
    ],
    "binance-usdm": [
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":123456789,"T":123456785,"s":"BTCUSDT",'
        '"t":5933014,"p":"0.001","q":"100","X":"MARKET","m":true}}',
        '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":400900217,"s":"BTCUSDT",'
        '"b":"25.35","B":"31.21","a":"25.36","A":"40.66","T":1568014460891,"E":1568014460893}}',
        '{"stream":"btcusdt@depth5@100ms","data":{"e":"depthUpdate","E":7,"T":6,"s":"BTCUSDT",'
        '"U":157,"u":160,"pu":149,"b":[["0.0024","10"]],"a":[["0.0026","100"],["0.0027","1"]]}}',
        '{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":8,"s":"BTCUSDT",'
        '"p":"11794.15","i":"11784.62","P":"11784.25","r":"0.00038167","T":1562306400000}}',
        '{"stream":"btcusdt@forceOrder","data":{"e":"forceOrder","E":9,"o":{"s":"BTCUSDT",'
        '"S":"SELL","q":"0.014","p":"9910","ap":"9910.12","X":"FILLED","z":"0.014","T":8}}}',
    ],
}
# Kept as they are: what tells messages apart.
ROUTING = ("channel", "stream", "e", "data")
SCALARS = (
    None,
    "",
    "x",
    "1.5",
    "-0",
    "1e-400",
    "é\\u0041",
    True,
    False,
    *map(Number, ("0", "-7", "2.50", "1E5", "12345678901234567890")),
)


def written(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}:{written(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place that may change: its container and its key or index."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ROUTING:
                found.append((value, key))
            found += places(item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found.append((value, index))
            found += places(item)
    return found


def fresh(text: str, number: int) -> str:
    """Give the trades of a message ids of their own, of as many digits."""
    for old in ("100700", "100701", "12345", "5933014"):
        new = str(int(old) + 2 * number)[-len(old) :]
        text = re.sub(rf'("t(?:id)?"):{old}\b', rf"\1:{new}", text)
    return text


def changed(text: str, rng: random.Random) -> str:
    """Change one value of a message, take it away, or give it twice."""
    message = json.loads(text, parse_int=Number, parse_float=Number)
    container, at = rng.choice(places(message))
    value = container[at]
    how = rng.random()
    if how < 0.15:
        del container[at]
    elif how < 0.25 and isinstance(container, list):
        container.insert(at, value)
    elif isinstance(value, dict | list):
        container[at] = rng.choice((type(value)(), "x", Number("1")))
    elif how < 0.35:
        container[at] = rng.choice(([], {}, ["1"], {"px": "1"}))
    else:
        container[at] = rng.choice(SCALARS)
    return written(message)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("venue", BASES)
def test_one_changed_value_is_seen(venue: str, seed: int) -> None:
    rng = random.Random(f"{venue}{seed}")
    channels = CHANNELS[venue]
    rig = Rig.of(load(venue), channels, extras=True, ring_rows=1 << 14)
    reference: Any = (
        HyperliquidReference(channels, extras=True)
        if venue == "hyperliquid"
        else BinanceReference(venue, channels, extras=True)
    )
    number = 0
    for text in BASES[venue]:
        for _ in range(150):
            number += 1
            sent = fresh(text, number)
            if rng.random() < 0.5:
                sent = changed(sent, rng)
            errors, counts = sum(rig.decoder.errors.values()), reference.counts.copy()
            rig.message(sent.encode(), number, 0)
            reference.message(sent.encode(), number, 0)
            assert sum(rig.decoder.errors.values()) - errors == (
                reference.counts["bad"] - counts["bad"]
            ), sent
    for name, columns in reference.tables.items():
        compare(columns, rig.table(name))
    assert rig.decoder.unknown_messages == reference.counts["unknown"]
    assert reference.counts["bad"] > 20
