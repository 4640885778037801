"""Binance: what is sent, what answers mean, and every message of the captures as rows."""

import json
import random
from collections import defaultdict

import pytest
from tests.reference import (
    BinanceReference,
    RestAnswer,
    compare,
    disguise,
    read_messages,
    read_rest,
)
from tests.reference.captures import Message
from tests.reference.rig import Rig, timeline

from tickwire.venues import load, plan

CHANNELS = {
    "binance": ["trades", "trades:agg", "quotes", "book", "book:20", "candles:1m", "tickers"],
    "binance-usdm": ["trades", "quotes", "book", "candles:1m", "tickers", "liquidations"],
    "binance-coinm": ["trades", "quotes", "book", "candles:1m", "tickers", "liquidations"],
}
CAPTURES = [
    ("binance", "binance/hbt-spot-btcusdt_20240808"),
    ("binance-usdm", "binance/hbt-usdm-btcusdt_20240808"),
    ("binance-coinm", "binance/hbt-coinm-btcusd_perp_20240808"),
    ("binance", "binance/cf-binance-20210405-b38f7c"),
]
# Messages of many kinds and all three markets mixed; each venue takes what it knows.
MIXED = ["binance/cmp-binance", "binance/tardis-mappers"]


def check(
    venue_name: str,
    events: list[Message | RestAnswer],
    channels: list[str] | None = None,
    *,
    extras: bool = False,
) -> Rig:
    """Decode messages and REST answers with both, and compare rows and counts."""
    channels = channels or CHANNELS[venue_name]
    rig = Rig.of(load(venue_name), channels, extras=extras)
    reference = BinanceReference(venue_name, channels, extras=extras)
    for event in events:
        if isinstance(event, RestAnswer):
            last_id = json.loads(event.payload)["lastUpdateId"]
            rig.rest(event.symbol, event.payload, last_id, event.ts_recv, event.conn or 0)
            reference.rest(event.symbol, event.payload, event.ts_recv, event.conn or 0)
        else:
            rig.message(event.payload, event.ts_recv, event.conn)
            reference.message(event.payload, event.ts_recv, event.conn)
    for name, columns in reference.tables.items():
        compare(columns, rig.table(name))
    assert sum(rig.decoder.errors.values()) == reference.counts["bad"]
    assert rig.decoder.unknown_messages == reference.counts["unknown"]
    assert rig.decoder.unrequested_messages == reference.counts["unrequested"]
    return rig


def disguised(messages: list[Message], seed: int) -> list[Message]:
    rng = random.Random(seed)
    return [
        Message(
            disguise(message.payload, rng.random(), escape=True, duplicate=seed > 1, unknown=True),
            message.ts_recv,
            message.conn,
        )
        for message in messages
    ]


@pytest.mark.captures
@pytest.mark.parametrize(("venue", "name"), CAPTURES)
def test_captures_give_the_rows_of_the_reference(venue: str, name: str) -> None:
    rig = check(venue, timeline(read_messages(name), read_rest(name)))
    book = rig.table("book")
    assert book.num_rows > 10_000
    assert set(book["is_snapshot"].to_pylist()) == {True, False}
    assert rig.splice is not None
    assert rig.splice.n_breaks == 0


@pytest.mark.captures
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("venue", "name"), CAPTURES)
def test_other_spelling_gives_the_same_rows(venue: str, name: str, seed: int) -> None:
    messages = disguised(read_messages(name, limit=400), seed)
    answers = [answer for answer in read_rest(name) if answer.ts_recv < messages[-1].ts_recv]
    check(venue, timeline(messages, answers), extras=True)


@pytest.mark.captures
@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("venue", CHANNELS)
@pytest.mark.parametrize("name", MIXED)
def test_messages_of_every_kind_give_the_rows_of_the_reference(
    name: str, venue: str, extras: bool
) -> None:
    rig = check(venue, list(read_messages(name)), extras=extras)
    assert rig.table("tickers").num_rows >= 3
    assert rig.table("candles").num_rows + rig.table("quotes").num_rows >= 3


@pytest.mark.captures
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("venue", CHANNELS)
@pytest.mark.parametrize("name", MIXED)
def test_messages_of_every_kind_in_other_spelling(name: str, venue: str, seed: int) -> None:
    check(venue, list(disguised(read_messages(name), seed)), extras=True)


def frame(stream: str, data: object, number: int = 1) -> Message:
    return Message(json.dumps({"stream": stream, "data": data}).encode(), number, 3)


def trade(**changes: object) -> dict[str, object]:
    plain = {"e": "trade", "E": 5, "T": 4, "s": "BTCUSDT", "t": 9, "p": "1", "q": "2", "m": True}
    return plain | changes


def test_futures_trades_off_the_book_give_no_rows() -> None:
    hows = ["MARKET", "NA", "INSURANCE_FUND", "ADL", "MARKET"]
    messages = [frame("btcusdt@trade", trade(X=how, t=number)) for number, how in enumerate(hows)]
    rig = check("binance-usdm", [*messages, frame("btcusdt@trade", trade(X="NEW", t=99))])
    assert rig.table("trades")["trade_id"].to_pylist() == ["0", "4"]
    assert rig.decoder.unknown_messages == 1


def test_a_time_of_16_digits_is_microseconds() -> None:
    rig = Rig.of(load("binance"), ["trades", "candles:1m"])
    times = (1_780_000_000_000_123, 1_780_000_000_000, 9_300_000_000_000, 10**16)
    for number, t in enumerate(times, 1):
        rig.message(frame("btcusdt@trade", trade(T=t, t=number)).payload, number, 0)
    rows = rig.table("trades")
    found = dict(
        zip(rows["trade_id"].to_pylist(), rows["ts_event"].cast("int64").to_pylist(), strict=True)
    )
    assert found == {"1": 1_780_000_000_000_123_000, "2": 1_780_000_000_000_000_000}
    assert rig.decoder.errors == {"bad_time": 2}


def test_a_trade_is_delivered_once_and_aggregates_have_ids_of_their_own() -> None:
    aggregate = {"e": "aggTrade", "E": 5, "s": "BTCUSDT", "a": 9, "p": "1", "q": "2"}
    aggregate |= {"f": 1, "l": 2, "T": 4, "m": False}
    messages = [frame("btcusdt@trade", trade()), frame("btcusdt@aggTrade", aggregate)]
    rig = check("binance", messages * 2)
    assert rig.table("trades")["channel"].to_pylist() == ["trades", "trades:agg"]
    assert rig.table("trades")["side"].to_pylist() == ["sell", "buy"]


@pytest.mark.parametrize(
    ("venue", "channel", "stream", "expected"),
    [
        ("binance", "book", "btcusdt@depth@100ms", "book"),
        ("binance", "book:100ms", "btcusdt@depth@100ms", "book:100ms"),
        ("binance", "book:1000ms", "btcusdt@depth", "book:1000ms"),
        ("binance-usdm", "book", "btcusdt@depth@0ms", "book"),
        ("binance-usdm", "book:250ms", "btcusdt@depth", "book:250ms"),
        ("binance-usdm", "book:500ms", "btcusdt@depth@500ms", "book:500ms"),
    ],
)
def test_a_book_and_its_snapshot_are_called_as_configured(
    venue: str, channel: str, stream: str, expected: str
) -> None:
    delta = {"e": "depthUpdate", "E": 7, "T": 6, "s": "BTCUSDT", "U": 10, "u": 12, "pu": 9}
    delta |= {"b": [["1", "0"]], "a": []}
    answer = {"lastUpdateId": 11, "E": 5, "T": 4, "bids": [["1", "2"]], "asks": [["3", "4"]]}
    snapshot = RestAnswer(2, "x?symbol=BTCUSDT&limit=5", json.dumps(answer).encode(), 3)
    rig = check(venue, [frame(stream, delta), snapshot], [channel])
    book = rig.table("book")
    assert set(book["channel"].to_pylist()) == {expected}
    assert book["is_snapshot"].to_pylist() == [True, True, False]
    assert book["venue_seq"].to_pylist() == [11, 11, 12]
    assert book["venue_prev_seq"].to_pylist() == [None, None, 9]
    assert book["last"].to_pylist() == [False, True, True]


def test_without_a_snapshot_there_are_no_book_rows() -> None:
    delta = {"e": "depthUpdate", "E": 7, "s": "BTCUSDT", "U": 10, "u": 12, "b": [], "a": []}
    rig = check("binance", [frame("btcusdt@depth@100ms", delta)])
    assert rig.table("book").num_rows == 0
    assert rig.splice is not None
    assert rig.splice.n_waiting == 1


def test_a_broken_chain_waits_for_another_snapshot() -> None:
    def delta(first: int, last: int, number: int) -> Message:
        data = {"e": "depthUpdate", "E": 7, "s": "BTCUSDT", "U": first, "u": last}
        data |= {"b": [["1", str(number)]], "a": []}
        return frame("btcusdt@depth@100ms", data, number)

    def snapshot(last_id: int, number: int) -> RestAnswer:
        answer = {"lastUpdateId": last_id, "bids": [], "asks": [["3", "4"]]}
        return RestAnswer(number, "x?symbol=BTCUSDT", json.dumps(answer).encode(), 3)

    events = [
        delta(10, 12, 1),
        snapshot(5, 2),  # too old for the delta that waits
        snapshot(11, 3),
        delta(13, 14, 4),
        delta(16, 17, 5),  # 15 is missing
        delta(18, 19, 6),
        snapshot(14, 7),  # too old again
        snapshot(17, 8),
        delta(20, 20, 9),
    ]
    rig = check("binance", list(events))
    assert rig.table("book")["venue_seq"].to_pylist() == [11, 12, 14, 17, 19, 20]
    assert rig.table("book")["ts_recv"].cast("int64").to_pylist() == [3, 1, 4, 8, 6, 9]
    assert rig.splice is not None
    assert rig.splice.n_breaks == 1


def test_partial_books_of_spot_take_their_symbol_from_the_stream() -> None:
    data = {"lastUpdateId": 160, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]]}
    for levels in ("5", "10", "20"):
        for speed in ("", "@100ms", "@1000ms"):
            rig = check("binance", [frame(f"bnbbtc@depth{levels}{speed}", data)], ["book:20"])
            book = rig.table("book")
            assert book["symbol"].to_pylist() == ["BNBBTC"] * 2
            assert book["channel"].to_pylist() == [f"book:{levels}"] * 2
            assert book["is_snapshot"].to_pylist() == [True, True]


@pytest.mark.captures
def test_books_rebuilt_from_rows_agree_with_best_prices() -> None:
    """At update ids that both have, the best levels are what `bookTicker` says."""
    for venue, name in CAPTURES[:3]:
        events = timeline(read_messages(name, limit=12_000), read_rest(name))
        rig = check(venue, events, ["quotes", "book"])
        columns = ["venue_seq", "bid_price", "bid_size", "ask_price", "ask_size"]
        quotes = {row["venue_seq"]: row for row in rig.table("quotes").select(columns).to_pylist()}
        sides: dict[str, dict[float, float]] = defaultdict(dict)
        n_common = 0
        columns = ["is_snapshot", "side", "price", "size", "last", "venue_seq"]
        for row in rig.table("book").select(columns).to_pylist():
            if row["is_snapshot"] and row["side"] is None:
                sides.clear()
            elif row["size"] == 0.0:
                sides[row["side"]].pop(row["price"], None)
            elif row["side"] is not None:
                sides[row["side"]][row["price"]] = row["size"]
            quote = quotes.get(row["venue_seq"]) if row["last"] else None
            if quote is None:
                continue
            bid, ask = max(sides["bid"]), min(sides["ask"])
            assert (bid, sides["bid"][bid]) == (quote["bid_price"], quote["bid_size"])
            assert (ask, sides["ask"][ask]) == (quote["ask_price"], quote["ask_size"])
            n_common += 1
        assert n_common > 10, name


@pytest.mark.parametrize(
    ("venue", "channel", "streams"),
    [
        ("binance", "trades", ["btcusdt@trade"]),
        ("binance", "trades:agg", ["btcusdt@aggTrade"]),
        ("binance", "quotes", ["btcusdt@bookTicker"]),
        ("binance", "book", ["btcusdt@depth@100ms"]),
        ("binance", "book:1000ms", ["btcusdt@depth"]),
        ("binance", "book:20", ["btcusdt@depth20@100ms"]),
        ("binance", "candles:1s", ["btcusdt@kline_1s"]),
        ("binance", "tickers", ["btcusdt@ticker"]),
        ("binance-usdm", "book", ["btcusdt@depth@0ms"]),
        ("binance-usdm", "book:250ms", ["btcusdt@depth"]),
        ("binance-usdm", "tickers", ["btcusdt@ticker", "btcusdt@markPrice@1s"]),
        ("binance-coinm", "liquidations", ["btcusdt@forceOrder"]),
    ],
)
def test_streams_are_named_as_the_venue_documents(
    venue: str, channel: str, streams: list[str]
) -> None:
    declared = load(venue)
    planned = plan(declared, [channel], ["BTCUSDT"])
    sent = json.loads(declared.subscribe(planned, 7))
    assert sent == {"method": "SUBSCRIBE", "params": streams, "id": 7}


def test_usdm_streams_go_to_the_entry_point_that_serves_them() -> None:
    venue = load("binance-usdm")
    channels = ["trades", "trades:agg", "quotes", "book", "book:5", "candles:1m", "tickers"]
    served = {s.key: s.endpoint for s in plan(venue, [*channels, "liquidations"], ["BTCUSDT"])}
    public = {key for key, endpoint in served.items() if endpoint == "public"}
    assert public == {
        "btcusdt@trade",
        "btcusdt@bookTicker",
        "btcusdt@depth@0ms",
        "btcusdt@depth5@100ms",
    }
    everything = {s.key: s.endpoint for s in plan(venue, ["quotes", "tickers"], ["*"])}
    assert everything == {
        "!bookTicker": "public",
        "!ticker@arr": "market",
        "!markPrice@arr@1s": "market",
    }


def test_answers_name_their_request() -> None:
    reply = load("binance").reply
    assert reply("acknowledge", b'{"result":null,"id":3}').request_id == 3
    assert reply("acknowledge", b'{"result":null,"id":3}').request_ok
    wrong = reply("error", b'{"error":{"code":2,"msg":"Invalid request: unknown"},"id":4}')
    assert (wrong.request_id, wrong.request_ok, wrong.retry) == (4, False, False)
    assert wrong.text == "Invalid request: unknown (code 2)"
    many = reply("error", b'{"code":-1003,"msg":"Too many requests"}')
    assert (many.request_id, many.retry) == (None, True)
    bare = reply("error", b'{"error":"no such stream","id":5}')
    assert (bare.request_id, bare.text) == (5, "no such stream")


def test_a_notice_of_the_end_says_so() -> None:
    notice = load("binance").reply("error", b'{"stream":"x","data":{"e":"serverShutdown","E":1}}')
    assert notice.closing
    assert notice.request_id is None


def test_streams_are_asked_for_and_ended_by_one_request() -> None:
    venue = load("binance")
    streams = plan(venue, ["trades", "quotes"], ["BTCUSDT"])
    for method, write in (("SUBSCRIBE", venue.subscribe), ("UNSUBSCRIBE", venue.unsubscribe)):
        request = json.loads(write(streams, 7))
        assert request == {
            "method": method, "params": ["btcusdt@trade", "btcusdt@bookTicker"], "id": 7,
        }  # fmt: skip


def test_control_messages_are_told_by_kind() -> None:
    rig = Rig.of(load("binance"), ["trades"])
    for payload in (
        b'{"result":null,"id":1}',
        b'{"id":2,"error":{"code":2,"msg":"Invalid request"}}',
        b'{"code":2,"msg":"Invalid request","id":3}',
        b'{"stream":"x","data":{"e":"serverShutdown","E":1}}',
    ):
        rig.message(payload, 1, 0)
    assert [kind for kind, _ in rig.take_events()] == ["acknowledge", "error", "error", "error"]


@pytest.mark.parametrize("venue", ["binance", "binance-usdm", "binance-coinm"])
@pytest.mark.parametrize("channel", ["trades", "trades:agg"])
def test_a_missed_trade_reads_as_it_would_have_on_the_stream(venue: str, channel: str) -> None:
    rng = random.Random(f"{venue} {channel}")
    [rule] = [each for each in load(venue).backfills if each.channel == channel]
    live, missed = (Rig.of(load(venue), [channel], extras=True) for _ in range(2))
    texts = []
    for n in range(200):
        price, size = (f"{rng.random() * 10 ** rng.randint(-7, 6):.8f}" for _ in range(2))
        maker, time = rng.choice(("true", "false")), 1_723_000_000_000 + n
        both = f'"p":"{price}","q":"{size}","T":{time},"m":{maker}'
        if channel == "trades":
            data = f'"e":"trade","t":{n},{both}' + (',"X":"MARKET"' if venue != "binance" else "")
            rest = (
                f'"id":{n},"price":"{price}","qty":"{size}","quoteQty":"1.0","time":{time},'
                f'"isBuyerMaker":{maker},"isBestMatch":true'
            )
        else:
            more = f'"a":{n},"f":{3 * n},"l":{3 * n + 2}'
            data, rest = f'"e":"aggTrade",{more},{both}', f'{more},{both},"M":true'
        stream = f'{{"stream":"btcusdt@trade","data":{{"s":"BTCUSDT",{data}}}}}'
        live.message(stream.encode(), 5, 1)
        texts.append(f"{{{rest}}}")
    taken = missed.decoder.backfills.take(
        rule.message, f"[{','.join(texts)}]".encode(), symbol="BTCUSDT", ts_recv=5, conn=1
    )
    first_ns = 1_723_000_000_000_000_000
    assert taken == (200, first_ns, first_ns + 199_000_000)
    assert missed.table("trades").equals(live.table("trades"))
    assert missed.decoder.messages == 0
    assert missed.decoder.seen.newest(missed.decoder.backfills.memory_of(rule.message), 0) == (0, 0)
