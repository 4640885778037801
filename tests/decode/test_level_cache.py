"""Levels of books that were read before are known by their text, to the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode import _walk
from tickwire.decode.plan import Message, constant, message, ms, rows

# Elsewhere every level is read.
LOOKS = _walk._force_simd_level("avx2")
_walk._force_simd_level(None)
FIRST_TRIAL, FIRST_REST = 512, 64 * 512
# Behind the levels: those at the end of a message are known or not as its memory has it.
BEHIND = f',"z":"{200 * "z"}"'


def declared(name: str, at: Sequence[str], **fields: object) -> Message:
    return message(
        name,
        when={"e": name},
        rows=[
            rows(
                at=place,
                into="book",
                symbol="$.s",
                ts_event=ms("$.t"),
                channel=constant("book"),
                side=constant(side),
                is_snapshot=constant(True),
                **fields,  # type: ignore[arg-type]
            )
            for side, place in zip(("bid", "ask"), at, strict=True)
        ],
    )


BOOKS = (
    declared("objects", ("d[0][]", "d[1][]"), price="px", size="sz", order_count="n"),
    declared("pairs", ("b[]", "a[]"), price="[0]", size="[1]"),
)
Level = tuple[str, str, int]


def an_object(level: Level) -> str:
    return '{{"px":"{}","sz":"{}","n":{}}}'.format(*level)


def objects(
    bids: Iterable[str], asks: Iterable[str], *, symbol: str = "A", behind: str = BEHIND
) -> str:
    levels = f"[{','.join(bids)}],[{','.join(asks)}]"
    return f'{{"e":"objects","s":"{symbol}","t":17,"d":[{levels}]{behind}}}'


def pairs(
    bids: Iterable[str], asks: Iterable[str], *, symbol: str = "A", behind: str = BEHIND
) -> str:
    levels = f'"b":[{",".join(bids)}],"a":[{",".join(asks)}]'
    return f'{{"e":"pairs","s":"{symbol}","t":17,{levels}{behind}}}'


def book(levels: Sequence[Level], **options: str) -> str:
    texts, half = [an_object(level) for level in levels], len(levels) // 2
    return objects(texts[:half], texts[half:], **options)


def changes(levels: Sequence[Level], **options: str) -> str:
    texts, half = [f'["{price}","{size}"]' for price, size, _ in levels], len(levels) // 2
    return pairs(texts[:half], texts[half:], **options)


each_form = pytest.mark.parametrize("write", [book, changes])


def new_levels(rng: Random, n: int) -> list[Level]:
    return [
        (f"{rng.randrange(10**5)}.{rng.randrange(100)}", f"{rng.random():.8f}", rng.randrange(30))
        for _ in range(n)
    ]


class Both:
    """A feed and the model of what it should say."""

    def __init__(self, messages: Sequence[Message] = BOOKS) -> None:
        self.feed = Feed(messages, rows=1024)
        self.model = Model(messages, DATA)

    def read(self, payload: str) -> int:
        """Read a message both ways, which must agree; how many of its levels were known."""
        before = self.feed.decoder.cached_levels
        expected = self.model.decode(payload.encode())
        assert self.feed.rows(payload) == (expected or {}), payload
        assert len(self.feed.reasons()) == (expected is None), payload
        return self.feed.decoder.cached_levels - before


def knowing(text: str, n_levels: int) -> Both:
    """Give what knows the levels of a text."""
    both = Both()
    for _ in range(3):
        n_known = both.read(text)
    assert n_known == n_levels * LOOKS
    return both


@each_form
def test_levels_that_come_again_are_known(write: Any) -> None:
    both, levels = Both(), new_levels(Random(4), 20)  # no two share a place
    assert both.read(write(levels)) == 0  # the template is learned
    both.read(write(levels))  # and they are kept
    for _ in range(3):
        assert both.read(write(levels)) == 20 * LOOKS
    # The last of the bids is now their first; of the asks one has gone, and the last is new.
    moved = [levels[9], *levels[:9], *levels[11:], ("123456.75", "1.25", 1)]
    assert both.read(write(moved)) == 19 * LOOKS
    # What was read at the end of an array is known there, and in its middle.
    assert both.read(write(moved)) == 20 * LOOKS
    assert both.read(write([*moved[:10], moved[19], *moved[10:19]])) == 20 * LOOKS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # The first 16 bytes are the same.
        (("12345.67", "1.00000001", 3), ("12345.67", "1.00000002", 3)),
        (("12345.67", "1.00000001", 3), ("12345.67", "1.0000000", 3)),
        # Their hashes are.
        (("2816.53", "0.83757798", 3), ("51557.75", "0.85328795", 3)),
    ],
)
def test_one_place_knows_the_last_that_came_to_it(one: Level, other: Level) -> None:
    rest = new_levels(Random(2), 8)
    both = knowing(changes([one, *rest]), 9)
    for _ in range(3):
        assert both.read(changes([other, *rest])) == 8 * LOOKS
        assert both.read(changes([other, *rest])) == 9 * LOOKS
        assert both.read(changes([one, *rest])) == 8 * LOOKS


@pytest.mark.volume
@each_form
@pytest.mark.parametrize(
    "byte", ["7", "]", *(pytest.param(each, marks=pytest.mark.thorough) for each in (" ", ""))]
)
def test_a_known_book_with_one_byte_changed_is_read_as_it_is(write: Any, byte: str) -> None:
    text = write(new_levels(Random(3), 8))
    both = knowing(text, 8)
    for at in range(text.index("["), text.index(BEHIND)):
        both.read(text[:at] + byte + text[at + 1 :])
        if both.read(text) < 8 * LOOKS:  # something else has been learned
            both = knowing(text, 8)


def test_levels_mean_what_their_own_template_says() -> None:
    """The same bytes behind another first key: what they say is not what was read before."""
    levels = [f'{{"px":"{n}","sz":"2","n":3}}' for n in range(8)]
    turned = [f'{{"sz":"{n}","px":"2","n":3}}' for n in range(8)]
    both = knowing(objects(levels[:4], levels[4:]), 8)
    for _ in range(3):
        n_known = both.read(objects(turned[:4], turned[4:]))
    assert n_known == 8 * LOOKS
    # Of equal keys the last counts, and this one has no price.
    for n in range(7):
        strange = [f'{{"sz":"{n}","sz":"2","n":3}}', *levels[n + 1 :]]
        both.read(objects([*turned[:4], *strange], turned[4:]))
        both.read(objects(turned[:4], strange))


def test_long_levels_are_read_each_time() -> None:
    both = Both()
    texts = [f'{{"px":"1234567.{n}","sz":"1234567.1234567","n":123456789}}' for n in range(4)]
    for _ in range(4):
        assert both.read(objects(texts, texts)) == 0
    spaced = [text.replace(":", ":  ").replace(",", ",  ") for text in texts]
    for _ in range(4):
        assert both.read(objects(spaced, spaced)) == 0


def test_levels_that_cannot_be_kept_are_not_counted_as_known() -> None:
    """A number of theirs needs 64 bits."""
    both = Both([declared("wide", ("b[]", "a[]"), price="[0]", size="[1]", venue_seq="[2]")])
    for _ in range(4):
        assert both.read(f'{{"e":"wide","s":"A","t":17,"b":[["1.5","2",{2**40}]],"a":[]}}') == 0
        assert both.read('{"e":"wide","s":"A","t":17,"b":[["1.5","2",7]],"a":[["2","1",7]]}') == 0


def test_a_level_of_another_form_leaves_the_others_known() -> None:
    """Once so many looked otherwise that they are learned ever more rarely."""
    levels = [an_object(level) for level in new_levels(Random(4), 20)]
    strange = '{"px":"1e1","sz":"2","n":3,"x":1}'
    both = knowing(objects(levels[:10], levels[10:]), 20)
    for number in range(20):
        for _ in range(2):
            n_known = both.read(objects(levels[:10], levels[10:]))
        both.read(objects([*levels[:10], strange], levels[10:]))
        if number in (6, 7, 8, 15, 16, 17):
            assert n_known == 20 * LOOKS
            assert both.read(objects(levels[:10], levels[10:])) == 20 * LOOKS


def spelled(rng: Random, level: Level, style: int) -> str:
    """A level as venues print it, or nearly so."""
    price, size, n = level
    if style == 1:
        return f'{{"sz":"{size}","px":"{price}","n":{n}}}'
    if style == 2:
        return f'{{"px": "{price}", "sz": "{size}", "n": {n}}}'
    if rng.random() < 0.01:
        return rng.choice(
            (
                f'{{"px":"{price}e1","sz":"{size}","n":{n}}}',
                f'{{"px":{price},"sz":"{size}","n":{n}}}',
                f'{{"p\\u0078":"{price}","sz":"{size}","n":{n}}}',
                f'{{"px":"{price}","sz":"\\u0031{size}","n":{n}}}',
                f'{{"px":"{price}","sz":"{size}","n":{n},"x":1}}',
                f'{{"px":"{price}","sz":"{size}","n":{n}.5}}',
                f'{{"px":"{price}","sz":"{size}","n":{n}}} ',
            )
        )
    return an_object(level)


@pytest.mark.volume
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("seed", range(3))
def test_books_that_change_little_by_little(seed: int, request: pytest.FixtureRequest) -> None:
    rng, both = Random(seed), Both()
    known = {symbol: new_levels(rng, 24) for symbol in "ABC"}
    for number in range(150):
        symbol = rng.choice("ABC")
        levels, style = known[symbol], rng.choice((1, 2)) if number % 50 > 40 else 0
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(levels)) if levels else 0
            price, size, n = levels[at] if levels else ("1.5", "1", 1)
            what = rng.randrange(6)
            if what == 0:
                levels[at : at + 1] = []
            elif what == 1:
                levels[at:at] = new_levels(rng, rng.randrange(1, 4))
            elif what == 2:
                digit = rng.randrange(len(size))
                levels[at : at + 1] = [(price, size[:digit] + "7" + size[digit + 1 :], n)]
            elif what == 3:
                levels[at : at + 1] = [(price, size + "5", n)]
            elif what == 4:
                levels[at : at + 1] = [(price, size, n + rng.randrange(99))]
            else:
                levels.append(levels.pop(at) if levels else (price, size, n))
        half = rng.randrange(len(levels) + 1) if number % 10 == 0 else len(levels) // 2
        texts = [spelled(rng, level, style) for level in levels]
        behind = rng.choice(("", BEHIND))
        both.read(objects(texts[:half], texts[half:], symbol=symbol, behind=behind))
        if number % 3 == 0:
            both.read(changes(levels, symbol=symbol, behind=behind))
    looks = LOOKS and request.node.callspec.params["kernels"] == "best"
    assert (both.feed.decoder.cached_levels > 1000) == looks


ORDERS = [
    declared(name, ("b[]", "a[]"), price="[0]", size="[1]", **more)
    for name, more in (("counted", {"order_count": "[3]"}), ("skipped", {}))
]
ODD_THIRDS = ("7", "00", "", "-", "x", "é", '\\"', "\\u0030", " ")
ODD_LASTS = ("0", "01", "", "-1", "1.5", "1e2", "x", "2147483648", str(10**17), '\\"')


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", ["counted", "skipped"])
def test_levels_of_four_of_which_one_or_two_are_skipped(name: str) -> None:
    rng, both = Random(name), Both(ORDERS)

    def text(level: Level) -> str:
        price, size, n = level
        third, last = "0", str(n)
        if rng.random() < 0.02:
            third = rng.choice(ODD_THIRDS)
        elif rng.random() < 0.02:
            last = rng.choice(ODD_LASTS)
        elif rng.random() < 0.02:
            size = rng.choice(("0", "1e5", "-2", "1.2.3", "00.5", "1.", "123456.12345678901"))
        return f'["{price}","{size}","{third}","{last}"]'

    levels = new_levels(rng, 30)
    for number in range(200):
        levels[rng.randrange(30)] = new_levels(rng, 1)[0]
        texts = [text(level) for level in levels[: rng.choice((0, 1, 3, 30))]]
        half = rng.randrange(len(texts) + 1)
        behind = rng.choice(("", BEHIND))
        payload = pairs(texts[:half], texts[half:], behind=behind).replace("pairs", name)
        both.read(payload if number % 9 else payload.replace(",[", ", ["))


class Levels:
    """Books without a consumer."""

    def __init__(self) -> None:
        self.feed = Feed(BOOKS, consumed=("quarantine",))
        self.rng = Random(5)
        self.repeated = new_levels(self.rng, 400)

    def read(self, levels: Sequence[Level]) -> int:
        """Read a book; how many of its levels were known."""
        before = self.feed.decoder.cached_levels
        assert self.feed.offer(book(levels))
        assert self.feed.reasons() == []
        return self.feed.decoder.cached_levels - before

    def read_new(self, n_levels: int) -> None:
        """Read books of which each side has so many levels in all, which never come again."""
        for _ in range(n_levels // 200):
            assert self.read(new_levels(self.rng, 400)) < 40


def test_where_levels_do_not_repeat_they_are_left_alone_for_long() -> None:
    books = Levels()
    most = 300 * LOOKS  # some share their place with others
    books.read(books.repeated)
    books.read(books.repeated)
    assert books.read(books.repeated) >= most
    books.read_new(2 * FIRST_TRIAL + 400)
    for _ in range(3):
        assert books.read(books.repeated) == 0
    books.read_new(FIRST_REST - 2400)
    assert books.read(books.repeated) == 0
    # A second trial, which is not in vain: levels that repeat are known for as long as they do.
    for _ in range(8):
        books.read(books.repeated)
    for _ in range(40):
        assert books.read(books.repeated) >= most
