"""What templates read is what the fallback reads: the same message, learned or new.

A decoder that has read many messages of a kind reads the next by its templates; one that was made
for the message cannot. Their rows, and what they refuse, must be equal.
"""

import ctypes
import functools
import mmap
import random
import re

import pyarrow as pa
import pytest

from tickwire.decode import Decoder, Program
from tickwire.ledger import Quarantine
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Table
from tickwire.venues import load
from tickwire.wire import FrameParser, build_frame

pytestmark = pytest.mark.usefixtures("kernels")

TRADE = (
    b'{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"106296.0","sz":"0.00017",'
    b'"time":1751430933565,"hash":"0xde93a8","tid":293353986402527,"users":["0xcc0a","0xc64c"]}]}'
)
BBO = (
    b'{"channel":"bbo","data":{"coin":"SOL","time":1765887848009,"bbo":[{"px":"128.5","sz":"36.93",'
    b'"n":2},{"px":"128.54","sz":"18.7","n":2}]}}'
)
BOOK = (
    b'{"channel":"l2Book","data":{"coin":"BTC","time":1703875200000,"levels":[[{"px":"98450.50",'
    b'"sz":"2.5","n":3},{"px":"98450.0","sz":"1","n":1}],[{"px":"98451.00","sz":"1.5","n":2}]]}}'
)
CONTEXT = (
    b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"-0.0000015186",'
    b'"openInterest":"27353.17682","prevDayPx":"76317.0","dayNtlVlm":"1516669192.1953897476",'
    b'"premium":"-0.0005927453","oraclePx":"77605.0","markPx":"77562.0","midPx":"77558.5",'
    b'"impactPxs":["77558.0","77559.0"],"dayBaseVlm":"19707.77457"}}}'
)
# What may stand where a value stood: other numbers, other kinds, other spelling.
VALUES = [
    b'"1"', b'"0"', b'"-1.5"', b'"1e3"', b'"12345678"', b'"123456789.123456789"', b'""', b'"01"',
    b'"1."', b'".5"', b'"."', b'"+1"', b'"1.5.3"', b'"1.5e"', b"1.5.3", b"1.5e-7",
    b'"1 "', b'" 1"', b'"0.00000001"', b'"99999999.99999999"', b"1",
    b"-7", b"1.5", b"0", b"007", b"9223372036854775807", b"9223372036854775808", b"1e2", b"null",
    b"true", b"false", b"[]", b"{}", b'["x"]', b'["a","b","c"]', b'{"px":"1"}', b'"A"', b'"B"',
    b'"AB"', b'"BTC"', b'"BTCX"', b'"\\u0041"', b'"a\\"b"', b'"' + b"x" * 40 + b'"',
    b'"' + b"y" * 300 + b'"', b'"\xc3\xa9"', b"2147483648", b"1751430933565.5", b"nope",
]  # fmt: skip
SCALAR = re.compile(rb'(?<=[:\[,])(?:"[^"\\]*"|-?[0-9][0-9.e]*)(?=[,\]}])')


VENUE = load("hyperliquid")


@functools.cache
def tables_of_venue() -> dict[str, Table]:
    return {name: table.with_extras(VENUE.extras.get(name, ())) for name, table in TABLES.items()}


@functools.cache
def program(extras: bool) -> Program:
    return Program(VENUE.name, VENUE.declared(extras=extras), tables_of_venue())


class Side:
    """A decoder of Hyperliquid with all its rings."""

    def __init__(self, *, extras: bool = True) -> None:
        tables = tables_of_venue()
        self.dictionaries = Dictionaries()
        rings = {name: Ring(table, 16384, self.dictionaries) for name, table in tables.items()}
        self.consumers = {name: Consumer(ring) for name, ring in rings.items()}
        self.decoder = Decoder(
            program(extras),
            rings,
            self.dictionaries,
            venue=VENUE.name,
            quarantine=Quarantine(rings["quarantine"]),
        )
        self.connection = self.decoder.connection(0)

    def rows(self, payload: bytes) -> dict[str, list[object]]:
        assert self.connection.decode(payload, 1, 1)
        found = {}
        for name, consumer in self.consumers.items():
            batch = consumer.take()
            if batch is not None:
                # As strings: times of any size, and without the number of the row.
                table = pa.table(batch).drop_columns("seq")
                found[name] = [str(row) for row in _plain(table).to_pylist()]
        return found


def _plain(table: pa.Table) -> pa.Table:
    return pa.table(
        {
            name: column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


def learned(template: bytes) -> Side:
    """A decoder that has read the message three times, with fresh trade ids."""
    side = Side()
    for number in range(3):
        side.rows(template.replace(b"293353986402527", b"%d" % (10**14 + number)))
    return side


def damaged(template: bytes, rng: random.Random) -> bytes:
    """The message with one or two things changed."""
    message = template.replace(b"293353986402527", b"%d" % rng.randrange(1, 10**15))
    for _ in range(rng.randint(1, 2)):
        choice = rng.random()
        spans = [match.span() for match in SCALAR.finditer(message)]
        if choice < 0.6 and spans:
            start, stop = rng.choice(spans)
            message = message[:start] + rng.choice(VALUES) + message[stop:]
        elif choice < 0.75:
            at = rng.randrange(len(message))
            message = (
                message[:at] + rng.choice([b" ", b"\n", b",", b"}", b'"', b"x"]) + message[at:]
            )
        elif choice < 0.85:
            at = rng.randrange(len(message))
            message = message[:at] + message[at + 1 :]
        elif choice < 0.95:
            message = message[: rng.randrange(1, len(message) + 1)]
        else:
            message += rng.choice([b" ", b"}", b",1"])
    return message


@pytest.mark.parametrize(
    "template", [TRADE, BBO, BOOK, CONTEXT], ids=["trade", "bbo", "book", "ctx"]
)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 4))]
)
def test_a_learned_message_reads_like_one_met_first(template: bytes, seed: int) -> None:
    rng = random.Random(seed)
    side = learned(template)
    for _ in range(30):
        message = damaged(template, rng)
        assert side.rows(message) == Side().rows(message), message
        assert side.rows(template.replace(b"293353986402527", b"%d" % rng.randrange(1, 10**15)))


def decimals(rng: random.Random) -> list[str]:
    """Numbers of every length around what is read at once, and what is almost a number."""
    made = []
    for whole in range(18):
        for behind in range(18):
            digits = "".join(rng.choices("0123456789", k=whole + behind))
            first = "" if whole == 0 else rng.choice("123456789") + digits[1:whole]
            made += [f"{first}.{digits[whole:]}", f"0{first}.{digits[whole:]}"]
        made += [first, f"0{first}", f"{first}.5.{digits[whole:]}", f"{first}/5", f"{first}.5e-3"]
    return made


def is_number(text: str) -> bool:
    return re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?(e-?[0-9]+)?", text) is not None


@pytest.mark.parametrize("where", ["alone", "in a book"])
def test_decimals_of_every_length_are_those_of_python(where: str) -> None:
    level = b'{"px":"%s","sz":"%s","n":3}'
    book = b'{"channel":"l2Book","data":{"coin":"BTC","time":1703875200000,"levels":[[%s],[]]}}'
    usual = [level % (b"98450.5", b"0.25")] * 8
    side = Side()
    for number, text in enumerate(["1.5", "2.25", *decimals(random.Random(5))]):
        px = text.encode()
        if where == "alone":
            message = TRADE.replace(b"293353986402527", b"%d" % (10**14 + number))
            message, table, expected = message.replace(b"106296.0", px), "trades", [text]
        else:
            levels = [*usual, level % (px, b"7"), *usual, level % (b"98450.5", px), *usual]
            message, table = book % b",".join(levels), "book"
            expected = ["98450.5"] * 8 + [text] + ["98450.5"] * 17
        rows = side.rows(message)
        if is_number(text):
            prices = [float(re.search(r"'price': ([^,}]*)", row)[1]) for row in rows[table]]
            assert prices == [float(one) for one in expected], text
        else:
            assert table not in rows, text


@pytest.mark.parametrize("cut", range(0, len(TRADE), 7))
def test_the_end_of_the_payload_is_the_end(cut: int) -> None:
    side = learned(TRADE)
    assert side.rows(TRADE[:cut]) == Side().rows(TRADE[:cut])


def test_nothing_is_read_in_a_page_behind_the_payload() -> None:
    """The payload ends with a page, and the next page may not be touched."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + page), ctypes.c_size_t(page), 0) == 0
    for template in (TRADE, BBO, BOOK, CONTEXT):
        side = learned(template)
        for cut in range(1, len(template) + 1):
            frame = build_frame(1, template[:cut], mask=False)
            view = memoryview(memory)[page - len(frame) : page]
            view[:] = frame
            before = side.decoder.messages
            assert FrameParser().feed_buffer(view, side.connection) == len(frame)
            assert side.decoder.messages == before + 1
            view.release()
    assert libc.mprotect(ctypes.c_void_p(start + page), ctypes.c_size_t(page), 3) == 0
