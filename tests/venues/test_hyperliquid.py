"""Hyperliquid: what is sent, what answers mean, and every message of the captures as rows."""

import asyncio
import base64
import json
import random
import zlib

import pytest
from tests.reference import HyperliquidReference, compare, disguise, read_messages
from tests.reference.captures import Message
from tests.reference.rig import Rig

from tickwire.feed.plan.symbols import listed
from tickwire.venues import load, plan

CHANNELS = ["trades", "quotes", "book", "book:fast", "candles:1m", "tickers", "mids"]
CAPTURES = [
    "hyperliquid/misc-verbatim",
    "hyperliquid/roq-tests",
    "hyperliquid/jkorf-subscriptions",
    "hyperliquid/hbt-docstring-hyperliquid",
    "hyperliquid/hlarchive-l2book-btc-20240101-12-a",
]
VENUE = load("hyperliquid")

# One message of each shape, with what captures lack: empty sides, nulls, both forms of a candle.
SHAPES = [
    b'{"channel":"trades","data":[{"coin":"kPEPE","side":"A","px":"0.0123","sz":"5","time":1,'
    b'"hash":"0xab","tid":1125899906842623,"users":["0x1","0x2"]},{"coin":"@107","side":"B",'
    b'"px":"1e3","sz":"0","time":1730160007687,"hash":"0xcd","tid":7,"users":["0x3","0x4"]}]}',
    b'{"channel":"trades","data":[]}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":2,"bbo":[null,{"px":"1","sz":"2","n":3}]}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":2,"bbo":[{"px":"1","sz":"2","n":3},null]}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":2,"bbo":[null,null]}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":2,"bbo":[{"px":"0x10","sz":[],"n":3},null]}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":3,"levels":[[],[]]}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":3,"levels":[[],[{"px":"1","sz":"2","n":3}]],'
    b'"spread":"0.1"}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":3,"levels":[[{"px":"1","sz":"2","n":3}],[]],'
    b'"fast":true}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":3,"levels":[[{"px":"1","sz":"2","n":3}],[]],'
    b'"fast":false}}',
    b'{"channel":"candle","data":{"t":60000,"T":119999,"s":"BTC","i":"1m","o":"1","c":"2","h":"3",'
    b'"l":"0.5","v":"10","n":4}}',
    b'{"channel":"candle","data":[{"t":60000,"T":119999,"s":"BTC","i":"1m","o":"1","c":"2",'
    b'"h":"3","l":"0.5","v":"10","n":4},{"t":120000,"T":179999,"s":"BTC","i":"1m","o":"1",'
    b'"c":"2","h":"3","l":"0.5","v":"10","n":0}]}',
    b'{"channel":"activeAssetCtx","data":{"coin":"OLD","ctx":{"funding":"0.0","openInterest":"0.0",'
    b'"prevDayPx":"1","dayNtlVlm":"0.0","premium":null,"oraclePx":"1.5","markPx":"1.6",'
    b'"midPx":null,"impactPxs":null,"dayBaseVlm":"0.0"}}}',
    b'{"channel":"activeSpotAssetCtx","data":{"coin":"@142","ctx":{"prevDayPx":"9","dayNtlVlm":"8",'
    b'"markPx":"7","midPx":null,"circulatingSupply":"21000000.0","coin":"@142",'
    b'"totalSupply":"21000001","dayBaseVlm":"6"}}}',
    b'{"channel":"allMids","data":{"mids":{"BTC":"80868.5","@142":"80907.5","PURR/USDC":"0.067"}}}',
    b'{"channel":"allMids","data":{"mids":{}}}',
    b'{"channel":"orderUpdates","data":[{"order":{"coin":"BTC"}}]}',
    b'{"channel":"pong"}',
    b"Websocket connection established.",
    b"Something else that is no JSON",
    b'{"channel":"webData3","data":{"c":"abc"}}',
]
# Messages of a known kind that lack something, or have something of the wrong kind.
BROKEN = [
    b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"1","sz":"1","time":1,"tid":1},'
    b'{"coin":"BTC","side":"X","px":"1","sz":"1","time":1,"tid":2}]}',
    b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"1..5","sz":"1","time":1,"tid":1}]}',
    b'{"channel":"trades","data":[{"coin":"BTC","side":"B","sz":"1","time":1,"tid":1}]}',
    b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"","sz":"1","time":1,"tid":1}]}',
    b'{"channel":"trades","data":[{"coin":null,"side":"B","px":"1","sz":"1","time":1,"tid":1}]}',
    b'{"channel":"trades","data":{"coin":"BTC"}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":3,"levels":[[{"px":"1","sz":"NaN","n":3}],[]]}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":3}}',
    b'{"channel":"candle","data":{"t":1764806400000,"T":1764892799999,"s":"HYPE","i":"1h"}}',
    b'{"channel":"allMids","data":{"mids":{"BTC":"+1"}}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":"2s","bbo":[{"px":"10","sz":"2"},null]}}',
]


def check(messages: list[Message], channels: list[str], **options: object) -> Rig:
    """Decode messages with both, and compare rows and counts."""
    symbols = options.pop("symbols", ("*",))
    rig = Rig.of(VENUE, channels, symbols, **options)  # type: ignore[arg-type]
    reference = HyperliquidReference(channels, symbols, **options)  # type: ignore[arg-type]
    for message in messages:
        rig.message(message.payload, message.ts_recv, message.conn)
        reference.message(message.payload, message.ts_recv, message.conn)
    for name, columns in reference.tables.items():
        compare(columns, rig.table(name))
    decoder = rig.decoder
    assert sum(decoder.errors.values()) == reference.counts["bad"]
    assert decoder.unknown_messages == reference.counts["unknown"]
    assert decoder.unrequested_messages == reference.counts["unrequested"]
    assert rig.table("quarantine").num_rows == reference.counts["bad"]
    return rig


def numbered(payloads: list[bytes]) -> list[Message]:
    return [Message(payload, 1_000 + number, 5) for number, payload in enumerate(payloads)]


@pytest.mark.captures
@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("name", CAPTURES)
def test_captures_give_the_rows_of_the_reference(name: str, extras: bool) -> None:
    rig = check(read_messages(name), CHANNELS, extras=extras)
    assert any(rig.table(table).num_rows for table in ("trades", "book", "tickers"))


@pytest.mark.parametrize("extras", [False, True])
def test_every_shape_gives_the_rows_of_the_reference(extras: bool) -> None:
    rig = check(numbered(SHAPES), CHANNELS, extras=extras)
    assert rig.table("book").num_rows == 4
    assert rig.table("book")["channel"].to_pylist() == ["book", "book", "book:fast", "book"]


@pytest.mark.captures
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", CAPTURES)
def test_other_spelling_gives_the_same_rows(name: str, seed: int) -> None:
    rng = random.Random(seed)
    messages = [
        Message(
            disguise(message.payload, rng.random(), escape=True, duplicate=seed > 2, unknown=True),
            message.ts_recv,
            message.conn,
        )
        for message in read_messages(name, limit=150)
    ]
    check(messages, CHANNELS, extras=True)


def test_what_is_broken_goes_to_quarantine_whole_and_gives_no_rows() -> None:
    payloads = [
        payload for pair in zip(BROKEN, SHAPES[: len(BROKEN)], strict=True) for payload in pair
    ]
    rig = check(numbered(payloads), CHANNELS)
    kept = rig.table("quarantine")["payload"].to_pylist()
    assert kept == [payload for payload in BROKEN if payload in kept]
    assert len(kept) == len(BROKEN)


def test_a_trade_repeated_after_a_subscribe_is_delivered_once() -> None:
    messages = numbered([SHAPES[0], SHAPES[0]])
    again = Message(SHAPES[0], 9_999, 6)
    rig = check([*messages, again], ["trades"])
    assert rig.table("trades")["trade_id"].to_pylist() == ["1125899906842623", "7"]


def test_mids_are_those_of_the_configured_symbols() -> None:
    message = next(payload for payload in SHAPES if b'"PURR/USDC"' in payload)
    rig = check(numbered([message]), ["mids"], symbols=("PURR/USDC", "ETH"))
    assert rig.table("mids")["symbol"].to_pylist() == ["PURR/USDC"]
    assert check(numbered([message]), ["mids"], symbols=("*",)).table("mids").num_rows == 3


def test_tables_that_are_not_asked_for_are_counted() -> None:
    rig = check(numbered(SHAPES), ["trades"])
    assert rig.decoder.unrequested_messages > 5


def test_books_of_a_connection_carry_its_label() -> None:
    books = [payload for payload in SHAPES if b"l2Book" in payload]
    rig = check(numbered(books), ["book:n5m2"], labels={"book": "book:n5m2"})
    assert set(rig.table("book")["channel"].to_pylist()) == {"book:n5m2", "book:fast"}


@pytest.mark.captures
def test_messages_to_the_session_are_told_by_kind() -> None:
    rig = Rig.of(VENUE, ["trades"])
    for message in read_messages("hyperliquid/misc-verbatim"):
        rig.message(message.payload, message.ts_recv, message.conn)
    kinds = [kind for kind, _ in rig.take_events()]
    assert kinds == ["acknowledge", "pong", "error", "acknowledge"]


@pytest.mark.parametrize(
    ("channel", "subscription"),
    [
        ("trades", {"type": "trades", "coin": "BTC"}),
        ("quotes", {"type": "bbo", "coin": "BTC"}),
        ("book", {"type": "l2Book", "coin": "BTC"}),
        ("book:fast", {"type": "l2Book", "coin": "BTC", "fast": True}),
        ("book:n3", {"type": "l2Book", "coin": "BTC", "nSigFigs": 3}),
        ("book:n5m2", {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2}),
        ("candles:1M", {"type": "candle", "coin": "BTC", "interval": "1M"}),
        ("tickers", {"type": "activeAssetCtx", "coin": "BTC"}),
        ("mids", {"type": "allMids"}),
    ],
)
def test_subscribe_sends_what_the_venue_documents(
    channel: str, subscription: dict[str, object]
) -> None:
    (planned,) = plan(VENUE, [channel], ["BTC"])
    sent = json.loads(VENUE.subscribe([planned], 1))
    assert sent == {"method": "subscribe", "subscription": subscription}


def fast_contexts(contexts: object) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    packed = squeeze.compress(json.dumps(contexts).encode()) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    data = base64.b64encode(packed).rstrip(b"=").decode()
    return json.dumps({"channel": "fastAssetCtxs", "data": data}).encode()


def test_fast_contexts_carry_on_what_has_not_changed() -> None:
    rig = Rig.of(VENUE, ["tickers:fast"], extras=True)
    told = [
        {"BTC": {"markPx": "1", "midPx": "1.5"}, "xyz:NVDA": {"markPx": "7"}, "OLD": {}},
        {"BTC": {"midPx": "2"}},
        {"xyz:NVDA": {"midPx": "8", "else": 1}, "BTC": {"markPx": "3"}},
        {},
    ]
    for contexts in told:
        rig.message(fast_contexts(contexts), 1000, 5)
    rows = rig.table("tickers").to_pylist()
    assert [(row["symbol"], row["mark_price"], row["mid_price"]) for row in rows] == [
        ("BTC", 1.0, 1.5), ("xyz:NVDA", 7.0, None), ("OLD", None, None),
        ("BTC", 1.0, 2.0),
        ("xyz:NVDA", 7.0, 8.0), ("BTC", 3.0, 2.0),
    ]  # fmt: skip
    assert {row["last_price"] for row in rows} == {None}
    assert rig.decoder.messages == 4


def test_fast_contexts_are_of_the_configured_coins_by_one_subscription() -> None:
    rig = Rig.of(VENUE, ["tickers:fast"], ("BTC", "xyz:NVDA"))
    rig.message(fast_contexts({"BTC": {"markPx": "1"}, "ETH": {"markPx": "2"}}), 1000, 5)
    assert rig.table("tickers")["symbol"].to_pylist() == ["BTC"]
    for symbols in (["BTC", "xyz:NVDA"], ["*"]):
        [subscription] = plan(VENUE, ["tickers:fast"], symbols)
        assert subscription.key == '{"type":"fastAssetCtxs"}'


def test_fast_mids_are_of_all_dexes_by_one_subscription() -> None:
    rig = Rig.of(VENUE, ["mids:fast"])
    told = [
        {"BTC": {"markPx": "1", "midPx": "1.5"}, "xyz:NVDA": {"midPx": "8"}, "OLD": {}},
        {"BTC": {"markPx": "2"}, "xyz:NVDA": {"midPx": None}, "ETH": {"midPx": "3"}},
    ]
    for contexts in told:
        rig.message(fast_contexts(contexts), 1000, 5)
    rows = rig.table("mids").to_pylist()
    assert [(row["symbol"], row["price"]) for row in rows] == [
        ("BTC", 1.5), ("xyz:NVDA", 8.0), ("ETH", 3.0),
    ]  # fmt: skip
    assert dict(rig.decoder.errors) == {}
    # One subscription feeds both tables.
    asked = plan(VENUE, ["tickers:fast", "mids:fast"], ["*"])
    assert {(each.table, each.key) for each in asked} == {
        ("tickers", '{"type":"fastAssetCtxs"}'), ("mids", '{"type":"fastAssetCtxs"}'),
    }  # fmt: skip


def test_without_symbols_the_list_is_of_every_dex() -> None:
    answers = {
        '{"type": "meta"}': {"universe": [{"name": "BTC", "szDecimals": 5}]},
        '{"type": "spotMeta"}': {"tokens": [], "universe": [{"name": "@1", "tokens": []}]},
        '{"type": "perpDexs"}': [None, {"name": "xyz", "fullName": "X"}, {"name": "abc"}],
        '{"type": "meta", "dex": "xyz"}': {"universe": [{"name": "xyz:NVDA", "szDecimals": 3}]},
        '{"type": "meta", "dex": "abc"}': {"universe": []},
    }
    asked = []

    class Rest:
        async def get(self, url: str, body: str | None = None) -> tuple[bytes, int]:
            assert body is not None
            asked.append(body)
            return json.dumps(answers[body]).encode(), 0

    assert VENUE.instruments is not None
    found = asyncio.run(listed(VENUE.instruments([]), "https://h", Rest()))
    assert [*found] == ["BTC", "@1", "xyz:NVDA"]
    assert (found["xyz:NVDA"].base, found["xyz:NVDA"].lot_size) == ("NVDA", 0.001)
    assert asked == [*answers]
    asked.clear()
    asyncio.run(listed(VENUE.instruments(["xyz:NVDA"]), "https://h", Rest()))
    assert '{"type": "perpDexs"}' not in asked


def test_mids_of_a_builder_dex_are_asked_of_that_dex() -> None:
    planned = plan(VENUE, ["mids"], ["BTC", "xyz:AAPL", "xyz:NVDA"])
    sent = [json.loads(VENUE.subscribe([one], 1))["subscription"] for one in planned]
    assert sent == [{"type": "allMids"}, {"type": "allMids", "dex": "xyz"}]


@pytest.mark.parametrize("channel", ["trades", "book", "book:fast", "book:n5", "book:n5m5", "mids"])
def test_an_echo_with_defaults_added_acknowledges_the_subscription(channel: str) -> None:
    (planned,) = plan(VENUE, [channel], ["BTC"])
    echo = {"nSigFigs": None, "mantissa": None, "fast": False, "extra": 1, "dex": ""}
    echo |= json.loads(planned.key)
    frame = {"channel": "subscriptionResponse"}
    frame["data"] = {"method": "subscribe", "subscription": echo}  # type: ignore[assignment]
    answer = VENUE.reply("acknowledge", json.dumps(frame).encode())
    assert answer.acknowledged == (planned.key,)


@pytest.mark.captures
def test_real_echoes_are_understood() -> None:
    keys = []
    for message in read_messages("hyperliquid/misc-verbatim"):
        if b"subscriptionResponse" in message.payload:
            keys += VENUE.reply("acknowledge", message.payload).acknowledged
    assert keys == [
        planned.key for channel in ("quotes", "book") for planned in plan(VENUE, [channel], ["BTC"])
    ]


def error(words: str) -> bytes:
    return json.dumps({"channel": "error", "data": words}).encode()


def test_already_subscribed_is_an_acknowledgement() -> None:
    (planned,) = plan(VENUE, ["trades"], ["BTC"])
    answer = VENUE.reply("error", error('Already subscribed: {"type":"trades","coin":"BTC"}'))
    assert answer.acknowledged == (planned.key,)
    assert answer.refused == ()


@pytest.mark.parametrize(
    "words",
    [
        'Invalid subscription {"type":"trades","coin":"BTC"}',
        "Error parsing JSON into valid websocket request: "
        '{"method": "subscribe", "subscription": {"coin": "BTC", "type": "trades"}}',
    ],
)
def test_an_invalid_subscription_is_refused_for_good(words: str) -> None:
    (planned,) = plan(VENUE, ["trades"], ["BTC"])
    answer = VENUE.reply("error", error(words))
    assert answer.refused == (planned.key,)
    assert not answer.retry
    assert answer.text == words


def test_the_end_of_a_subscription_is_no_acknowledgement() -> None:
    (planned,) = plan(VENUE, ["trades"], ["BTC"])
    asked = {"method": "unsubscribe", "subscription": json.loads(planned.key)}
    told = json.dumps({"channel": "subscriptionResponse", "data": asked}).encode()
    answer = VENUE.reply("acknowledge", told)
    assert (answer.acknowledged, answer.ended) == ((), (planned.key,))
    answer = VENUE.reply("error", error(f"Already unsubscribed: {planned.key}"))
    assert (answer.refused, answer.ended) == ((), (planned.key,))


def test_over_a_limit_may_be_asked_again_later() -> None:
    answer = VENUE.reply("error", error("Cannot track more than 15 total users."))
    assert answer.retry
    assert answer.refused == ()
    assert VENUE.reply("error", error("Error {broken")).refused == ()


def test_the_test_net_differs_only_in_its_addresses() -> None:
    test = load("hyperliquid-testnet")
    assert test.endpoints == {"main": "wss://api.hyperliquid-testnet.xyz/ws"}
    assert test.messages == VENUE.messages
    assert json.loads(VENUE.heartbeat.payload) == {"method": "ping"}
