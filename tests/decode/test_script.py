"""Messages that look like the last of their route: one kernel reads them, to the same rows."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.decode.declarations import BOOKS, GROUPS, STATES, TRADES
from tests.decode.documents import Writer, expectations
from tests.decode.feeds import DATA, Feed
from tests.decode.pairs import Pair, linked, linked_trades, listed, trade, usual

from tickwire.decode import plan
from tickwire.decode.plan import choice, constant, message, ms, prefix, rows, text

pytestmark = pytest.mark.usefixtures("kernels")

SIDES = (
    '{"e":"sides","t":%d,"kind":"full","data":{"s":"%s","u":9,"b":[["1.5","2"],["1.25","3"]],'
    '"a":[["2.5","1"]]}}'
)
CANDLE = (
    '{"e":"candle","s":"%s","k":{"i":"1m","t":%d,"T":18,"o":"1.5","h":"2","l":"1","c":"1.75",'
    '"v":"10.25","n":3,"x":true}}'
)


@pytest.mark.parametrize("n_messages", [3, 50])
def test_what_repeats_is_read_by_a_script(n_messages: int) -> None:
    pair = Pair(TRADES)
    for number in range(1, n_messages + 1):
        # The first is walked, and a script is learned from it.
        assert pair.read(usual(number)) == (number > 1)
    assert pair.feed.decoder.scripted == {"listed": n_messages - 1}


@pytest.mark.volume
@pytest.mark.parametrize("group", GROUPS)
def test_scripts_of_all_declarations_against_the_model(group: str) -> None:
    pair, rng = Pair(GROUPS[group]), Random(group)
    writer = Writer(rng, mistakes=0.0, noise=0.02, steady=True)
    places = [expectations(message, DATA) for message in GROUPS[group]]
    n_read = sum(
        pair.read(writer.write(place)) for place in rng.choices(places, k=150) for _ in range(4)
    )
    # Rows that depend on a scalar are walked.
    assert n_read == pair.n_scripted > (10 if group == "conditions" else 15)


NUMBERS = ("1.5", "0", "0.00000001", "61837.63000000", "123456789012345", "-2.25", "1e3", "1E-5",
           "1234567.12345678901", "9" * 17)  # fmt: skip


@pytest.mark.parametrize("price", NUMBERS)
def test_numbers_that_the_kernel_leaves_to_the_rules(price: str) -> None:
    pair = linked_trades()
    for number in range(4, 12, 2):
        assert pair.read(listed(trade(number, price=price), trade(number + 1)))
        assert pair.read(listed(trade(100 + number), trade(101 + number, price=price)))


def test_trades_whose_ids_are_texts_are_read_by_a_script_and_delivered_once() -> None:
    pair, rng = linked(TRADES, *(listed(trade(f'"id-{n}"')) for n in range(3))), Random(5)
    ids = ["0", "7", "07", "18446744073709551615", "9" * 19, "9" * 20, "12345678", "-1", "1.5", "x"]
    ids += [f"{rng.getrandbits(128):032x}"[: rng.randrange(1, 33)] for _ in range(40)]
    for _ in range(60):
        pair.read(listed(*(trade(f'"{rng.choice(ids)}"') for _ in range(rng.randrange(1, 5)))))
    assert pair.feed.decoder.duplicate_trades > 50
    # Its escapes are resolved first.
    pair.read(listed(trade('"new"')))
    assert pair.read(listed(trade('"\\u006eew"'), trade('"newer"')))
    assert pair.read(listed(trade('"newest"')))


RARE = ('"y\\n"', '"\\\\"', '"\\u00e9\\""', '""')


@pytest.mark.parametrize("text", RARE)
def test_what_is_rare_is_read_by_the_script_that_did_not_see_it(text: str) -> None:
    def more(*trades: str) -> str:
        return listed(*trades).replace("]}", '],"more":"long enough"}')

    pair = linked(TRADES, *(more(trade(number)) for number in range(3)))
    for number in range(10, 40, 5):
        common, rare = trade(number), trade(number + 1).replace('"y"', text)
        below = trade(number + 2, price="-0.5")
        assert pair.read(more(common, rare, below, trade(number + 3), rare))
        assert pair.read(more())
        assert pair.read(more(trade(number + 4)))


@pytest.mark.parametrize("price", ["", "x", "1.", "01", "1 ", "\\u0031", "-", "1e"])
def test_what_no_script_reads_takes_nothing_along(price: str) -> None:
    pair = linked_trades()
    assert not pair.read(listed(trade(4), trade(5, price=price)))
    assert pair.read(usual(4))
    assert pair.read(usual(5))


@pytest.mark.parametrize("behind", [" ", "\n", "}", ",", "x", "null", "\0"])
def test_a_script_ends_where_the_message_does(behind: str) -> None:
    pair = linked_trades()
    assert not pair.read(usual(4) + behind)
    assert pair.read(usual(4)) == (behind not in " \n") or pair.read(usual(5))


def test_trades_seen_before() -> None:
    pair, rng = linked_trades(), Random(5)
    for _ in range(200):
        ids = [rng.randrange(1, 400) for _ in range(rng.randrange(1, 6))]
        assert pair.read(listed(*(trade(number, rng.choice("AB")) for number in ids)))


@pytest.mark.parametrize("last", [10**18 - 1, 10**18, 1_764_472_000_123_456_789, 2**63 - 1])
def test_ids_as_long_as_a_clock_of_ns(last: int) -> None:
    pair = linked_trades()
    for number in range(last - 5, last + 1):
        assert pair.read(usual(number))


@pytest.mark.parametrize("number", [2**63, 10**19 - 1, 10**19, 2**64 - 1, 2**64, 10**20 - 1])
def test_ids_past_an_int64_are_left_to_the_rules(number: int) -> None:
    pair = linked_trades()
    for again in range(3):
        assert not pair.read(listed(trade(number)))
        assert pair.read(usual(10 + again))


def test_ids_that_are_texts() -> None:
    pair = linked(TRADES, *(listed(trade(f'"id{number}"')) for number in range(3)))
    for number in [3, 4, 3, 0, 5]:
        assert pair.read(listed(trade(f'"id{number}"'), trade('"007"'), trade(f'"{number}"')))


def test_symbols_that_a_script_is_the_first_to_see() -> None:
    pair = linked_trades()
    for number, symbol in enumerate(["NEW", "Ω/USD", "", "A-NAME-LONGER-THAN-16-BYTES", "NEW"]):
        assert pair.read(listed(trade(10 + number), trade(20 + number, symbol)))
        assert pair.read(listed(trade(30 + number, symbol), trade(40 + number)))


def test_symbols_past_the_dictionary_are_refused() -> None:
    feed = Feed(TRADES, max_symbols=3)
    for number in range(1, 4):
        assert feed.rows(usual(number))
    assert feed.rows(usual(4, "B"))
    assert feed.rows(usual(5, "C"))
    assert feed.decoder.scripted == {"listed": 4}
    for number in range(6, 9):
        assert feed.rows(listed(trade(number), trade(number, "D"))) == {}
        assert [reason for reason, _ in feed.reasons()] == ["dictionary_full"]
        assert len(feed.rows(usual(number))["trades"]) == 1
    assert feed.decoder.scripted == {"listed": 7}


FILTERED = '{"e":"filtered","data":[%s]}'


def test_rows_of_symbols_that_are_not_configured() -> None:
    first = [FILTERED % trade(number) for number in range(3)]
    pair, rng = linked(TRADES, *first, symbols=["A", "C"]), Random(2)
    n_unconfigured = 0
    for number in range(3, 60):
        symbols = rng.choices("ABCD", k=rng.randrange(1, 5))
        is_scripted = pair.read(FILTERED % ",".join(trade(number, symbol) for symbol in symbols))
        # The fallback reads what has such rows; scripts go on reading the rest.
        assert is_scripted == ({*symbols} <= {"A", "C"})
        n_unconfigured += sum(symbol in "BD" for symbol in symbols)
    assert pair.feed.decoder.unconfigured_rows == {"trades": n_unconfigured}


def test_a_book_without_a_wanted_row_is_no_empty_one() -> None:
    levels: dict[str, Any] = {
        "symbol": "s",
        "channel": constant("book"),
        "side": constant("bid"),
        "price": "p",
        "size": "q",
        "is_snapshot": constant(False),
    }
    book = message(
        "book",
        when={"e": "book"},
        rows=[
            rows(at="all[]", into="book", optional=True, **levels),
            rows(at="some[]", into="book", **levels),
        ],
    )
    level = '{"s":"%s","p":"1.5","q":"2"}'
    payload = f'{{"e":"book","all":null,"some":[{level},{level}]}}'
    pair = linked((book,), *[payload % ("A", "A")] * 3, symbols=["A"])
    for symbols in [("B", "B"), ("B", "A"), ("A", "A"), ("C", "D"), ("A", "C")]:
        pair.read(payload % symbols)
    assert pair.feed.decoder.unconfigured_rows == {"book": 2 + 1 + 2 + 1}


def test_an_empty_book_has_no_side_where_a_message_has_one_alone() -> None:
    levels: dict[str, Any] = {
        "symbol": "$.s",
        "channel": constant("book"),
        "side": constant("bid"),
        "ts_event": ms("$.t"),
        "price": "[0]",
        "size": "[1]",
        "is_snapshot": constant(False),
    }
    pair = Pair([message("b", when={"e": "b"}, rows=[rows(at="b[]", into="book", **levels)])])
    for number in range(2, 12):
        bids = ",".join(['["1.5","2"]'] * (number % 3))
        pair.read(f'{{"e":"b","b":[{bids}],"s":"{"AB"[number % 2]}","t":{number}}}')


@pytest.mark.parametrize("channel", [constant("trades"), "c"], ids=["constant", "read"])
def test_each_connection_has_its_labels(channel: object) -> None:
    fields: dict[str, Any] = {
        "symbol": "s",
        "ts_event": ms("t"),
        "price": "p",
        "size": "q",
        "trade_id": text("i"),
        "side": choice("m", {"b": "buy"}),
        "channel": channel,
    }
    trades = message(
        "listed", when={"e": "listed"}, rows=[rows(at="data[]", into="trades", **fields)]
    )
    feed = Feed([trades], labels={"other": "x", "trades": "mine"})
    plain = feed.decoder.connection(1)
    payload = '{"e":"listed","data":[{"s":"A","t":1,"p":"1","q":"2","m":"b","c":"trades","i":%d}]}'
    for number in range(1, 20):
        if number % 3:
            feed.offer(payload % number)
        else:
            plain.decode((payload % number).encode(), 1)
        (row,) = feed.take("trades")
        assert row["channel"] == ("mine" if number % 3 else "trades")
    assert feed.decoder.scripted == {"listed": 18}


@pytest.mark.parametrize("odd", ["17e0", "1.7e1", '"1\\u0037"', "[17]", '{"n":17}', "true"])
@pytest.mark.parametrize("at", ["b[]", ""])
def test_a_row_has_what_a_walk_before_it_has_read(odd: str, at: str) -> None:
    level: dict[str, Any] = {
        "symbol": "$.s",
        "channel": constant("book"),
        "side": constant("bid"),
        "ts_event": ms("$.t"),
        "price": "[0]" if at else "p",
        "size": "[1]" if at else "q",
        "is_snapshot": constant(False),
        "order_count": "$.n",
        "venue_seq": "$.u",
    }
    pair = Pair([message("b", when={"e": "b"}, rows=[rows(at=at, into="book", **level)])])
    payload = '{"e":"b","s":"A","t":1,"n":%s,"u":%s,"p":"1.5","q":"2","b":[["1.5","2"]]}'
    for values in ([odd], [odd, "5"], [odd, "null", "5", "6"]):
        for number in range(12):
            value = values[number % len(values)]
            pair.read(payload % (value, number))
            pair.read(payload % (number, value))


def test_levels_are_walked_inside_of_a_script() -> None:
    pair = linked(BOOKS, *(SIDES % (number, "A") for number in range(3)))
    for number in range(3, 20):
        assert pair.read(SIDES % (number, "ABC"[number % 3]))
        assert pair.read((SIDES % (number, "A")).replace('["1.5","2"]', '["1.5","2"],["1.4","1"]'))
        pair.read((SIDES % (number, "A")).replace('["1.5","2"]', '["1.5","2"], ["1.4","1"]'))
        assert pair.read((SIDES % (number, "A")).replace('"u":9', '"u":-9'))
        assert not pair.read((SIDES % (number, "A")).replace('["2.5","1"]', '["2.5","x"]'))


def test_two_routes_by_turns() -> None:
    pair = Pair((*TRADES, *STATES))
    for number in range(1, 30):
        assert pair.read(usual(number)) == (number > 1)
        for symbol in "AB":
            is_first = number == 1 and symbol == "A"
            assert pair.read(CANDLE % (symbol, number)) != is_first
            assert pair.read(FILTERED % trade(number, symbol)) != is_first


def test_two_shapes_of_a_route_by_turns() -> None:
    pair = Pair(TRADES)
    shapes = (usual, lambda number: usual(number).replace('"x":"y",', ""))
    for number in range(1, 400):
        assert pair.read(shapes[number % 2](number)) == (number > 2)


def test_more_shapes_than_a_route_has_scripts() -> None:
    pair = Pair(TRADES)

    def shaped(number: int, shape: int) -> str:
        return usual(number).replace('"x":"y"', f'"x{shape}":"y"')

    for number in range(1, 1000):
        pair.read(shaped(number, number % 20))
    # Once one shape stays, it is read by a script again, if not at once.
    for number in range(1000, 7000):
        if pair.read(shaped(number, 1)):
            break
    assert number < 6000
    assert all(pair.read(shaped(number, 1)) for number in range(9000, 9010))


def test_lists_that_become_empty_and_keys_that_come_and_go() -> None:
    levels = ("[]", '[["1.5","2"]]', '[["1.5","2"],["1.25","3"]]')
    pair, rng = Pair(BOOKS), Random(11)
    for number in range(400):
        text = SIDES % (number, rng.choice("AB"))
        text = text.replace('[["1.5","2"],["1.25","3"]]', rng.choice(levels))
        text = text.replace('[["2.5","1"]]', rng.choice(levels))
        if rng.random() < 0.5:
            text = text.replace('"u":9,', "")
        if rng.random() < 0.5:
            text = text.replace('"data":{', '"data":{"more":[1,{"a":null}],')
        pair.read(text)
    assert pair.n_scripted > 300


@pytest.mark.parametrize(
    ("tests", "kinds"),
    [
        (("a", "c"), [f'"{letter}"' for letter in "abcde"]),
        ((prefix("a", "b"), prefix("c", "d")), [f'"{letter}"' for letter in "abcde"]),
        ((1, 3), list("12345")),
    ],
)
def test_a_message_may_fit_the_script_of_another_route(
    tests: tuple[Any, Any], kinds: list[str]
) -> None:
    fields: dict[str, Any] = {"symbol": "s", "price": "p", "size": "q", "trade_id": text("i")}
    several = [
        message(
            f"{side} {test}",
            when={"e": test},
            rows=[
                rows(
                    at="d[]",
                    into="trades",
                    channel=constant("trades"),
                    side=constant(side),
                    **fields,
                )
            ],
        )
        for side, test in zip(("buy", "sell"), tests, strict=True)
    ]
    payload = '{"y":"%s","e":%s,"d":[{"s":"A","p":"1.5","q":"2","i":%d}]}'
    pair, rng = Pair(several), Random(3)
    for number in range(1, 500):
        pair.read(payload % (rng.choice("mn"), rng.choice(kinds), number))
    assert all(n > 20 for n in pair.feed.decoder.scripted.values())


def test_what_follows_the_rows_is_of_their_message() -> None:
    payload = CANDLE.replace('"s":"%s",', "")[:-1] + ',"s":"%s"}'
    pair = linked(STATES, *(payload % (number, "A") for number in range(3)))
    for number in range(3, 20):
        assert pair.read(payload % (number, "ABC"[number % 3]))


def test_a_value_of_two_columns_is_walked_before_its_row() -> None:
    ticker = message(
        "ticker",
        when={"e": "ticker"},
        rows=[
            rows(
                at="k",
                into="tickers",
                symbol="s",
                last_price="p",
                mark_price="$.n",
                index_price=plan.number("$.n", magnitude=True),
            )
        ],
    )
    payload = '{"e":"ticker","n":%s,"k":{"s":"A","p":"1.5"}}'
    pair = linked((ticker,), *[payload % "-1.5"] * 3)
    for value in ["2.5", "-2.5", "null", '"-3"', "0", "null"]:
        pair.read(payload % value)
        assert pair.read(payload % -7)


SPECIAL = (
    message("special", kind="ignore", when={"e": "listed", "y": "special"}),
    *TRADES,
)


@pytest.mark.parametrize("n_late", [1, 2, 3])
@pytest.mark.parametrize("n_others", range(7))
@pytest.mark.parametrize("n_after", [1, 4])
def test_a_script_of_old_templates_proves_nothing(n_late: int, n_others: int, n_after: int) -> None:
    def late(number: int) -> str:
        return usual(number).replace('{"e"', f'{{"k{number}":"","e"', 1)

    def other(number: int) -> str:
        return usual(number).replace(',"data"', f',"k{number}":"","data"', 1)

    def rival(number: int, y: str) -> str:
        return usual(number).replace(',"data"', f',"y":"{y}","data"', 1)

    pair = Pair(SPECIAL)
    for number in range(1, 1 + n_late + n_others):
        pair.read(late(number) if number <= n_late else other(number))
    pair.read(rival(30, "usual"))
    # Templates that often fail are learned ever more rarely: these are linked from that one's.
    for number in range(40, 40 + n_after):
        pair.read(other(number))
    assert not pair.read(rival(50, "special"))
    pair.read(rival(60, "usual"))
    pair.read(rival(70, "special"))  # by a script of its own, which gives nothing


@pytest.mark.parametrize("n_late", [1, 2, 3])
@pytest.mark.parametrize("n_others", range(4))
def test_a_number_that_a_route_asks_for_is_no_text(n_late: int, n_others: int) -> None:
    numbered = message("numbered", when={"e": "listed", "v": 5}, rows=list(TRADES[1].rows))

    def late(number: int) -> str:
        return f'{{"k{number}":"",{other(number)[1:]}'

    def other(number: int, v: str = "5") -> str:
        return usual(number).replace(',"data"', f',"k{number}":"","v":{v},"data"', 1)

    pair = Pair([numbered])
    for number in range(1, 1 + n_late + n_others):
        pair.read(late(number) if number <= n_late else other(number))
    pair.read(other(30, '"5"'))
    for number in range(40, 50):
        pair.read(other(number))
        assert not pair.read(other(30, '"5"'))
    for number in range(1000, 1200):
        last = pair.read(other(1000).replace('"i":1000', f'"i":{number}'))
    assert last


def test_the_message_that_is_wrong_is_walked_and_the_next_is_not() -> None:
    good, n_read, n_good = usual(0), 0, 0
    rng = Random(9)
    pair = linked_trades()
    for at in range(len(good)):
        for byte in rng.sample('"\\{}[],:.019eabt -\t', 4):
            if not pair.read(usual(1000 + 10 * n_good)):
                pair = linked_trades()
            n_good += 1
            wrong = usual(1005 + 10 * n_good)
            n_read += pair.read(wrong[:at] + byte + wrong[at + 1 :])
    # Most are wrong; what a script has read all the same has another value.
    assert n_read > 20
