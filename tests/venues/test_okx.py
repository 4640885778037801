"""OKX: what is asked for, and what its answers mean."""

import json

import pytest
from tests.reference.rig import Rig

from tickwire.errors import ConfigError
from tickwire.venues import Reply, connections, load, plan

OKX = load("okx")


def asked(*channels: str, symbols: tuple[str, ...] = ("BTC-USDT-SWAP",)) -> list[dict[str, str]]:
    return [json.loads(each.key) for each in plan(OKX, channels, symbols)]


def test_each_channel_is_an_argument() -> None:
    assert asked("trades", "quotes", "book", "book:5", "candles:1h") == [
        {"channel": channel, "instId": "BTC-USDT-SWAP"}
        for channel in ("trades", "bbo-tbt", "books", "books5", "candle1H")
    ]


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("BTC-USDT", ["tickers"]),
        ("BTC-USDT-SWAP", ["tickers", "mark-price", "open-interest", "funding-rate"]),
        ("BTC-USD-261225", ["tickers", "mark-price", "open-interest"]),
    ],
)
def test_tickers_have_the_parts_that_a_kind_has(symbol: str, parts: list[str]) -> None:
    found = asked("tickers", symbols=(symbol,))
    assert [each["channel"] for each in found] == parts


def test_liquidations_are_of_all_symbols_of_a_kind() -> None:
    one = plan(OKX, ["liquidations"], ["BTC-USDT-SWAP", "ETH-USDT-SWAP"])
    assert [each.key for each in one] == ['{"channel":"liquidation-orders","instType":"SWAP"}']
    assert len(asked("liquidations", symbols=("*",))) == 3
    with pytest.raises(ConfigError, match="'BTC-USDT' is no derivative"):
        asked("liquidations", symbols=("BTC-USDT",))


def test_candles_have_an_endpoint_of_their_own() -> None:
    groups = connections(OKX, plan(OKX, ["trades", "candles:1m"], ["BTC-USDT"]))
    assert [group[0].endpoint for group in groups] == ["public", "business"]


def test_a_snapshot_of_a_book_follows_nothing() -> None:
    rig = Rig.of(OKX, ["book"])
    for number, (action, before) in enumerate([("snapshot", -1), ("update", 10)]):
        data = {"asks": [["2", "1", "0", "1"]], "bids": [], "ts": "1", "checksum": 0}
        data |= {"seqId": 10 + number, "prevSeqId": before}
        arg = {"channel": "books", "instId": "BTC-USDT"}
        rig.message(json.dumps({"arg": arg, "action": action, "data": [data]}).encode(), 1, 0)
    book = rig.table("book")
    assert book["is_snapshot"].to_pylist() == [True, False]
    assert book["venue_seq"].to_pylist() == [10, 11]
    assert book["venue_prev_seq"].to_pylist() == [None, 10]


def test_a_request_has_many_arguments() -> None:
    both = plan(OKX, ["trades"], ["BTC-USDT", "ETH-USDT"])
    text = OKX.subscribe(both, 7)
    assert json.loads(text) == {
        "id": "7",
        "op": "subscribe",
        "args": [{"channel": "trades", "instId": each} for each in ("BTC-USDT", "ETH-USDT")],
    }
    assert OKX.unsubscribe is not None
    assert json.loads(OKX.unsubscribe(both, 8))["op"] == "unsubscribe"


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        ("pong", "pong", Reply()),
        (
            "acknowledge",
            '{"event":"subscribe","arg":{"channel":"books","instId":"A-B"},"connId":"a4d3ae55"}',
            Reply(acknowledged=('{"channel":"books","instId":"A-B"}',)),
        ),
        (
            "acknowledge",
            '{"event":"unsubscribe","arg":{"channel":"books","instId":"A-B"},"connId":"a4d3ae55"}',
            Reply(ended=('{"channel":"books","instId":"A-B"}',)),
        ),
        (
            "error",
            '{"event":"error","msg":"Wrong URL or channel:index-tickers, instId:NEAR-USDT-SWAP '
            "doesn't exist. Please use the correct URL, channel and parameters referring to API "
            'document.","code":"60018","connId":"94d38802"}',
            ('{"channel":"index-tickers","instId":"NEAR-USDT-SWAP"}',),
        ),
        (
            "error",
            '{"event":"notice","msg":"Soon.","code":"64008","connId":"8517149b"}',
            Reply(text="Soon. (code 64008)", closing=True),
        ),
        (
            "error",
            '{"event":"error","msg":"Requests too frequent.","code":"60014","connId":"a"}',
            Reply(text="Requests too frequent. (code 60014)", retry=True),
        ),
    ],
)
def test_answers(kind: str, text: str, meant: Reply | tuple[str, ...]) -> None:
    found = OKX.reply(kind, text.encode())
    if isinstance(meant, tuple):
        assert (found.refused, found.retry) == (meant, False)
    else:
        assert found == meant
