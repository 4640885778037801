"""Scripts at the end of a message, of a page, of a ring and of the memory of ids."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from typing import Any

import pytest
from tests.decode.declarations import BOOKS, STATES, TRADES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode.plan import Message, message, present, rows

TRADE = '{"s":"A","t":1700000000123,"p":"%s","q":2.25,"x":"y","m":"b","i":%s}'
CANDLE = (
    '{"e":"candle","s":"A","k":{"i":"1m","t":%d,"T":18,"o":"1.5","h":"2","l":"1","c":"1.75",'
    '"v":"10.25","n":3,"x":true}}'
)
SIDES = '{"e":"sides","t":%d,"kind":"full","data":{"s":"A","u":9,"b":[["1","2"]],"a":[["2","1"]]}}'
LEVELS = ",".join(f'["12345.{n}","0.{n}5"]' for n in range(4))
BOOK = (
    '{"e":"sides","t":%d,"kind":"full","data":{"s":"A","u":9,"b":[' + LEVELS + '],"a":['
    '["1.5","2"],' + LEVELS + "]}}"
)
SHORT = (
    message(
        "short",
        when={"[1][1]": present()},
        rows=[rows(at="[1]", into="mids", symbol="[0]", price="[1]")],
    ),
)
PAGE = mmap.PAGESIZE


def listed(*numbers: object, price: str = "1.5") -> bytes:
    trades = ",".join(TRADE % (price, number) for number in numbers)
    return f'{{"e":"listed","data":[{trades}]}}'.encode()


def text_id(number: int) -> bytes:
    return listed(f'"{number}"')


def candle(number: int) -> bytes:
    return (CANDLE % number).encode()


def sides(number: int) -> bytes:
    return (SIDES % number).encode()


def book(number: int) -> bytes:
    """Levels that are known from the message before."""
    return (BOOK % number).encode()


def short(number: int) -> bytes:
    """What is shorter than the words that kernels read."""
    return b'[7,["A",%d.5],9]' % number


KINDS: list[tuple[tuple[Message, ...], Any]] = [
    (TRADES, listed),
    (TRADES, text_id),
    (STATES, candle),
    (BOOKS, sides),
    (BOOKS, book),
    (SHORT, short),
]
each_kind = pytest.mark.parametrize(
    ("messages", "make"), KINDS, ids=["trades", "text ids", "candle", "sides", "book", "short"]
)


class Placed(Feed):
    """A feed whose messages are decoded where they stand, and that counts what scripts read."""

    @property
    def n_scripted(self) -> int:
        return sum(self.decoder.scripted.values())

    def decode(self, payload: memoryview | bytes) -> dict[str, list[dict[str, Any]]]:
        self.clock += 1
        assert self.connection.decode(payload, self.clock)
        found = {table: self.take(table) for table in self.rings}
        return {table: rows for table, rows in found.items() if rows}


def comparable(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    left_out = ("seq", "venue", "ts_recv", "conn")
    return {
        table: [{k: v for k, v in row.items() if k not in left_out} for row in found]
        for table, found in rows.items()
    }


def linked(messages: tuple[Message, ...], make: Any) -> Placed:
    feed = Placed(messages, rows=1024)
    for number in range(1, 4):
        assert feed.decode(make(number))
    assert feed.n_scripted > 0
    return feed


@pytest.fixture(scope="module")
def page() -> Iterator[memoryview]:
    """A page; the one behind it may not be touched."""
    memory = mmap.mmap(-1, 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + PAGE), ctypes.c_size_t(PAGE), 0) == 0
    yield memoryview(memory)[:PAGE]
    assert libc.mprotect(ctypes.c_void_p(start + PAGE), ctypes.c_size_t(PAGE), 3) == 0


@each_kind
def test_a_message_may_end_anywhere_before_the_end_of_a_page(
    messages: tuple[Message, ...], make: Any, page: memoryview
) -> None:
    feed, model = linked(messages, make), Model(messages, DATA)
    for left in range(100):
        payload = make(10 + left)
        before = feed.n_scripted
        place = page[PAGE - left - len(payload) : PAGE - left]
        place[:] = payload
        assert comparable(feed.decode(place)) == model.decode(payload)
        assert feed.n_scripted == before + 1


@each_kind
@pytest.mark.parametrize(
    "left", [0, 31, *(pytest.param(n, marks=pytest.mark.thorough) for n in (1, 63))]
)
def test_what_is_cut_at_the_end_of_a_page_is_refused(
    messages: tuple[Message, ...], make: Any, page: memoryview, left: int
) -> None:
    feed, model = linked(messages, make), Model(messages, DATA)
    for cut in range(1, len(make(1000))):
        good = make(1000 + cut)
        payload = good[:cut]
        place = page[PAGE - left - cut : PAGE - left]
        place[:] = payload
        assert feed.decode(place) == {}
        assert [reason for reason, _ in feed.reasons()] == ["not_json"]
        before = feed.n_scripted
        assert comparable(feed.decode(good)) == model.decode(good)
        assert feed.n_scripted == before + 1


@each_kind
@pytest.mark.parametrize(
    "behind",
    [
        b"",
        b'0123456789"}],' * 10,
        pytest.param(b'"' * 100, marks=pytest.mark.thorough),
        pytest.param(b"}" * 100, marks=pytest.mark.thorough),
    ],
)
def test_a_message_ends_where_its_length_says(
    messages: tuple[Message, ...], make: Any, behind: bytes, page: memoryview
) -> None:
    """Its own rest, or what could be one, stands behind it."""
    feed, model = linked(messages, make), Model(messages, DATA)
    for cut in range(1, len(make(1000))):
        payload = make(1000 + cut)
        text = payload[:cut] + behind if behind else payload
        page[512 : 512 + len(text)] = text
        assert feed.decode(page[512 : 512 + cut]) == {}
        assert [reason for reason, _ in feed.reasons()] == ["not_json"]
        # The ids of what was refused are not remembered.
        page[512 : 512 + len(payload)] = payload
        before = feed.n_scripted
        whole = feed.decode(page[512 : 512 + len(payload)])
        assert comparable(whole) == model.decode(payload)
        assert feed.n_scripted == before + 1


FIELDS: dict[str, Any] = {
    name: name
    for name in ("last_price", "mark_price", "index_price", "funding_rate", "open_interest")
}
NUMBERS = (
    message(
        "numbers",
        when={"e": "numbers"},
        rows=[rows(at="data", into="tickers", symbol="s", **FIELDS)],
    ),
)


def numbers(number: int) -> bytes:
    """Numbers without quotes, which a kernel reads without a look at the end."""
    fields = ",".join(f'"{name}":{number}.25' for name in FIELDS)
    return f'{{"e":"numbers","data":{{"s":"A",{fields}}}}}'.encode()


@pytest.mark.parametrize(
    ("messages", "make"), [(NUMBERS, numbers), (BOOKS, book)], ids=["numbers", "book"]
)
def test_a_script_does_not_run_on_behind_a_message(
    messages: tuple[Message, ...], make: Any, page: memoryview
) -> None:
    feed, model = linked(messages, make), Model(messages, DATA)
    payload = make(12345678901)
    for cut in range(70, len(payload)):
        # So much of the message stands before the end of the page that a kernel need not look.
        page[PAGE - cut :] = payload[:cut]
        for left in (64, 65, 68):
            assert feed.decode(page[PAGE - cut : PAGE - left]) == {}
            assert [reason for reason, _ in feed.reasons()] == ["not_json"]
        before = feed.n_scripted
        assert comparable(feed.decode(make(cut))) == model.decode(make(cut))
        assert feed.n_scripted == before + 1


def test_a_ring_that_is_full_in_the_middle_of_a_list_takes_none_of_it() -> None:
    feed, model = Placed(TRADES, rows=1024), Model(TRADES, DATA)
    offered: list[bytes] = []
    for first in range(1, 4000, 7):
        payload = listed(*range(first, first + 7))
        if not feed.offer(payload):
            break
        offered.append(payload)
    assert len(offered) == 1024 // 7
    assert feed.n_scripted == len(offered) - 1
    assert not feed.offer(payload)
    found = feed.take("trades")
    assert feed.offer(payload)
    found += feed.take("trades")
    offered.append(payload)
    expected = [row for one in offered for row in (model.decode(one) or {})["trades"]]
    assert comparable({"trades": found}) == {"trades": expected}
    before = feed.n_scripted
    assert len(feed.decode(listed(*range(first + 7, first + 14)))["trades"]) == 7
    assert feed.n_scripted == before + 1


@pytest.mark.parametrize("width", [5, 6, 7, 15, 16, 17, 40])
def test_texts_that_wait_in_a_full_column_stay_as_they_are(width: int) -> None:
    feed = Placed(TRADES, rows=1024)
    for number in range(200):
        assert feed.offer(text_id(10**59 + number))
    assert len(feed.take("trades")) == 200
    # Long texts first, so that the column is full before the ring is.
    ids = [10**59 + number for number in range(200, 730)]
    ids += [10 ** (width - 1) + number for number in range(1000)]
    n_taken = 0
    while feed.offer(text_id(ids[n_taken])):
        n_taken += 1
    assert n_taken > 540
    assert feed.n_scripted > 180 + n_taken
    found = [row["trade_id"] for row in feed.take("trades")]
    assert found == [str(number) for number in ids[:n_taken]]


@pytest.mark.parametrize(("n_rows", "is_whole"), [(511, True), (512, True), (513, False)])
def test_a_message_of_more_than_half_a_ring(n_rows: int, is_whole: bool) -> None:
    feed = linked(TRADES, listed)
    for first in (1000, 2000, 3000):
        before = feed.n_scripted
        rows = feed.decode(listed(*range(first, first + n_rows)))
        assert len(rows.get("trades", ())) == (n_rows if is_whole else 0)
        reasons = [reason for reason, _ in feed.reasons()]
        assert reasons == ([] if is_whole else ["too_many_rows"])
        # Where the ring must look for room in the middle of a message it is walked.
        assert feed.n_scripted in ((before, before + 1) if is_whole else (before,))
        assert len(feed.decode(listed(first + 600))["trades"]) == 1
    assert feed.n_scripted > 2 * is_whole


@pytest.mark.parametrize("n_former", [8192, 8200, 9001])
@pytest.mark.parametrize("n_trades", [3990, 4500, 7000])
def test_a_long_message_that_fails_at_its_end_forgets_no_id(n_former: int, n_trades: int) -> None:
    feed = Placed(TRADES)
    for first in range(1, n_former + 1, 100):
        feed.decode(listed(*range(first, min(first + 100, n_former + 1))))
    before = feed.n_scripted
    assert before == -(-n_former // 100) - 1
    new = range(10**6, 10**6 + n_trades)
    good = listed(*new)
    assert feed.decode(good[:-2] + b"]") == {}
    assert feed.decode(good[:-2]) == {}
    assert feed.decode(good[:-2] + b',{"s":"A","p":"x"}]}') == {}
    assert len(feed.reasons()) == 3
    for first in range(n_former - 4095, n_former + 1, 512):
        assert feed.decode(listed(*range(first, first + 512))) == {}
    assert feed.n_scripted == before + 8
    rows = feed.decode(good)["trades"]
    assert [row["trade_id"] for row in rows] == [str(number) for number in new]
    assert feed.n_scripted == before + 9
