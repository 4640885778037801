"""Book messages that begin in band, decoded with and without a chain that is followed."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookFollower
from tickwire.book._chains import NUMBERED
from tickwire.decode import Decoder, Program
from tickwire.decode.plan import choice, constant, integer, message, ms, rows
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

N_CHANGES = 1000
CHANGE = message(
    "book",
    when={"topic": "book"},
    spliced=True,
    rows=[
        rows(
            at=f"{side[0]}[]",
            into="book",
            symbol="$.s",
            ts_event=ms("$.T"),
            channel=constant("book"),
            is_snapshot=choice("$.t", {"snapshot": True, "delta": False}),
            venue_seq="$.u",
            venue_prev_seq="$.p",
            first_seq=integer("$.U"),
            side=constant(side),
            price="[0]",
            size="[1]",
        )
        for side in ("bid", "ask")
    ],
)


def change(number: int) -> bytes:
    """Write a snapshot as the first message, then changes of two levels."""
    kind = "delta" if number else "snapshot"
    return (
        f'{{"topic":"book","t":"{kind}","s":"BTCUSDT","T":{1_764_500_000_000 + number},'
        f'"U":{number},"u":{number},"p":{number - 1},'
        f'"b":[["{60_000 + number % 100}.5","1.25"]],"a":[["{60_200 + number % 100}.5","0.75"]]}}'
    ).encode()


@pytest.mark.informational
@pytest.mark.parametrize("chain", [None, *NUMBERED])
def test_changes_of_a_book(benchmark: BenchmarkFixture, chain: str | None) -> None:
    """1,000 changes, each by a call from Python; a snapshot before them begins the book anew."""
    tables = {"book": TABLES["book"]}
    dictionaries = Dictionaries()
    rings = {"book": Ring(TABLES["book"], 1 << 15, dictionaries)}
    follower = None if chain is None else BookFollower(chain)
    decoder = Decoder(
        Program("bench", [CHANGE], tables), rings, dictionaries, venue="bench", follower=follower
    )
    connection = decoder.connection(1)
    payloads = [change(number) for number in range(N_CHANGES + 1)]

    def run() -> int:
        before = rings["book"].published
        for payload in payloads:
            connection.decode(payload, 1)
        return rings["book"].published - before

    assert measure(benchmark, run, n_messages=N_CHANGES, rounds=50) == 2 * (N_CHANGES + 1)
