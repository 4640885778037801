"""The fast paths of scripts: skipped strings, enum matches, beginnings."""

from __future__ import annotations

import pytest
from tests.decode.pairs import Pair, linked

from tickwire.decode import plan
from tickwire.decode.plan import Message, choice, constant, message, ms, rows

pytestmark = pytest.mark.usefixtures("kernels")

TRADE = (
    '{{"e":"t","d":{{"s":"A","h":"{hash}","u":["{user}","{user}"],"t":17,"p":"1.{number}","q":2,'
    '"i":{number},"m":"{side}"}}}}'
)
TAKERS: dict[object, str] = {"B": "buy", "A": "sell"}


def trades(sides: dict[object, str] = TAKERS, symbol: str = "s") -> tuple[Message, ...]:
    return (
        message(
            "t",
            when={"e": "t"},
            rows=[
                rows(
                    at="d",
                    into="trades",
                    symbol=symbol,
                    ts_event=ms("t"),
                    channel=constant("trades"),
                    price="p",
                    size="q",
                    trade_id=plan.text("i"),
                    side=choice("m", sides),
                )
            ],
        ),
    )


def written(
    number: int, *, text: str = "0x" + "a5" * 32, user: str = "0x" + "b" * 40, side: str = "B"
) -> str:
    return TRADE.format(hash=text, user=user, number=number, side=side)


def learned(sides: dict[object, str] = TAKERS, *, text: str = "x", side: str = "B") -> Pair:
    """A pair whose script has read a message of these parts."""
    first = [written(number, text=text, side=side) for number in range(3)]
    return linked(trades(sides), *first)


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128, 129, 200])
def test_long_strings_of_other_lengths(n: int) -> None:
    pair = learned(text="x" * n)
    for other in {n, 0, 1, n + 1, max(n - 1, 0), n + 32, max(n - 32, 0), 2 * n}:
        assert pair.read(written(4, text="y" * other))
    assert pair.read(written(5, text="x" * n))


@pytest.mark.parametrize("n", [42, 66])
def test_every_byte_of_a_long_string_is_looked_at(n: int) -> None:
    pair = learned(text="x" * n)
    for at in range(0, n, 1 + (n > 64)):
        text = "x" * at, "x" * (n - at - 1)
        assert pair.read(written(at, text="\x7f".join(text)))
        for wrong in ('"', "\\", "\x00", "\x1f", "\n", '","', '\\"', "\\u00e9"):
            pair.read(written(at, text=wrong.join(text)))
            # A value that is valid all the same is for the fallback, which learns from it.
            for number in range(at, at + 4):
                fits = pair.read(written(number, text="x" * n))
            assert fits


def test_long_strings_with_escapes_when_they_are_learned() -> None:
    pair = Pair(trades())
    for number in range(6):
        pair.read(written(number, text="x" * 40 + "\\n" * (number % 2)))


@pytest.mark.parametrize(
    "texts",
    [
        ("B", "A"),
        ("buy", "sell"),
        ("bid", "bids"),
        ("a", "b", "c"),
        ("", "a", "aa", "aaa"),
        # No two bits of these tell all of them apart.
        ("a@@@", "@a@@", "@@a@", "@@@a"),
        # Their first eight bytes are the same.
        ("samestart", "samestarts"),
        ("fifteen letters", "fifteen  letter"),
        ("sixteen letters!", "another"),
        # Of these more than their first eight bytes count.
        ("opens a long", "closes a short"),
        ("a", "b", "c", "d", "e", "f"),
    ],
)
def test_choices(texts: tuple[str, ...]) -> None:
    sides: dict[object, str] = {text: ("buy", "sell")[i % 2] for i, text in enumerate(texts)}
    pair = learned(sides, side=texts[0])
    for number in range(3, 6):
        for side in (*texts, *reversed(texts)):
            assert pair.read(written(number, side=side))
    for text in texts:
        others = (
            text + "x",
            text[:-1],
            text[:-1] + "?",
            "x" + text[1:],
            text.upper(),
            text + "\x7f",
        )
        for side in (*others, "@"):
            pair.read(written(6, side=side))
            pair.read(written(7, side=texts[-1]))


def test_words_are_choices_too() -> None:
    pair = Pair(trades({True: "sell", False: "buy"}))
    for number in range(20):
        said = written(number).replace('"B"', ("true", "false")[number % 3 == 0])
        assert pair.read(said) or number == 0
    for wrong in ("tru", "truE", "fals", "falsy", "null", "1", '"true"', "true1", "falsefalse"):
        pair.read(written(30).replace('"B"', wrong))


@pytest.mark.parametrize("n", range(1, 21))
def test_integers_of_every_length(n: int) -> None:
    """Sixteen digits are read at once; what goes on behind them is for the fallback."""
    pair = learned()
    for number, digits in enumerate(("9" * n, "1" + "0" * (n - 1), "0" * n, "1" * n)):
        for place in ('"t":17', '"q":2', '"i":4'):
            for behind in ("", ".5", "e1", "-", "x", " "):
                said = f"{place[:4]}{digits}{behind}"
                pair.read(written(4 + number).replace(place, said))
                pair.read(written(4))


@pytest.mark.parametrize("n", range(14, 19))
def test_a_script_reads_integers_of_more_than_sixteen_digits(n: int) -> None:
    skipped = '"z":%s,"u":['
    pair = linked(
        trades(), *[written(number).replace('"u":[', skipped % number) for number in range(3)]
    )
    for digits in ("9" * n, "1" + "0" * (n - 1)):
        assert pair.read(written(4).replace('"u":[', skipped % digits))
        for place in ('"q":2', '"i":4'):
            said = written(4).replace('"u":[', skipped % 1)
            assert pair.read(said.replace(place, f"{place[:4]}{digits}"))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 11, 12, 20, 27])
def test_beginnings_of_every_length(n: int) -> None:
    """A script is tried where its first literal may stand, however short that is."""
    key = "k" * n
    text = '{"%s":"A","d":{"t":17,"p":"1.%d","q":2,"m":"B","i":%d},"e":"t"}'
    first = [text % (key, number, number) for number in range(3)]
    pair = linked(trades(symbol=f"$.{key}"), *first)
    for number in range(3, 6):
        assert pair.read(text % (key, number, number))
        for at in range(n):
            other = key[:at] + "j" + key[at + 1 :]
            assert not pair.read(text % (other, number, number))
        for _again in range(3):
            fits = pair.read(text % (key, number, number))
        assert fits


ESCAPED = (
    r"a\"b", r"\\", r"\/", r"\u0041", r"Gr\u00f6\u00dfe", r"\ud83d\ude00", r"\u0000",
    "x" * 200 + r"\n", "", "plain", "é" * 40,
)  # fmt: skip
ESCAPED_TRADE = '{{"s":"A","i":"{}","t":17,"p":"1.5","q":2,"m":"B"}}'
NO_TEXT = (r"\ud800", r"\x", "a\tb", '"', "\\")


def escaped_trades(at: str, *, once: bool) -> Message:
    trade = rows(
        at=at, into="trades", symbol="s", ts_event=ms("t"), side=choice("m", TAKERS), price="p",
        size="q", trade_id="i", channel=constant("trades"), once=once,
    )  # fmt: skip
    return message("t", when={"e": "t"}, rows=[trade])


@pytest.mark.parametrize("once", [True, False], ids=["once", "always"])
def test_texts_with_escapes_are_read_by_the_script(once: bool) -> None:
    messages = (escaped_trades("d", once=once),)

    def text(trade_id: str) -> str:
        return f'{{"e":"t","from":"somewhere","d":{ESCAPED_TRADE.format(trade_id)}}}'

    pair = linked(messages, *(text(f"id-{number}") for number in range(4)))
    for known in (False, True):
        for trade_id in ESCAPED:
            assert pair.read(text(trade_id)) or (known and once), trade_id
        for trade_id in NO_TEXT:
            assert not pair.read(text(trade_id)), trade_id
            assert pair.read(text(f"next {known} {len(trade_id)} {ord(trade_id[-1])}"))


def test_texts_with_escapes_in_a_list_of_rows_are_read_by_the_script() -> None:
    messages = (escaped_trades("d[]", once=False),)

    def text(*ids: str) -> str:
        trades = ",".join(ESCAPED_TRADE.format(each) for each in ids)
        return f'{{"e":"t","from":"somewhere","d":[{trades}]}}'

    pair = linked(messages, *(text("a", "b") for _ in range(4)))
    assert pair.read(text(*ESCAPED))
    assert pair.read(text(*reversed(ESCAPED)))
    for wrong in NO_TEXT:
        assert not pair.read(text("a", r"\n", wrong, "b"))
        assert pair.read(text(r"\n", "b"))


def test_messages_that_are_arrays() -> None:
    messages = (
        message(
            "t",
            when={"[0]": "t"},
            rows=[
                rows(
                    at="[1]",
                    into="trades",
                    symbol="[0]",
                    ts_event=ms("[1]"),
                    channel=constant("trades"),
                    price="[2]",
                    size="[3]",
                    trade_id=plan.text("[4]"),
                    side=choice("[5]", TAKERS),
                )
            ],
        ),
    )
    text = '["t",["A",17,"%d.5",2,%d,"B"],"long enough"]'
    pair = linked(messages, *(text % (number, number) for number in range(3)))
    for number in range(3, 20):
        assert pair.read(text % (number, number))
