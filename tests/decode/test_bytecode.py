"""Programs as C arrays: counts, life, and codes that are those of the feed's dictionaries."""

from __future__ import annotations

import gc

import pytest
from tests.decode.declarations import GROUPS, STATES
from tests.decode.feeds import DATA, Feed

from tickwire.decode import Program
from tickwire.decode._bytecode import Bytecode
from tickwire.decode.flatten import Flat
from tickwire.decode.plan import choice, constant, message, rows
from tickwire.ring import Dictionaries


@pytest.mark.parametrize("group", GROUPS)
def test_it_has_what_the_flat_lists_have(group: str) -> None:
    program = Program("v", GROUPS[group], DATA)
    dictionaries = Dictionaries()
    bytecode = Bytecode(program, dictionaries)
    flat = Flat(program, dictionaries)
    assert bytecode.program is program
    assert bytecode.n_routes == len(program.routes) == len(GROUPS[group])
    assert bytecode.n_once == len(flat.once)
    assert bytecode.n_carry == len(flat.carry)
    assert bytecode.n_members == flat.n_members


def test_a_program_is_compiled_as_often_as_there_are_sources() -> None:
    program = Program("v", STATES, DATA)
    made = [Bytecode(program, Dictionaries()) for _ in range(50)]
    assert {each.n_carry for each in made} == {1}
    del made
    gc.collect()
    assert Bytecode(program, Dictionaries()).n_routes == len(program.routes)


def test_texts_outlive_the_declaration() -> None:
    # What the arrays point to is kept: nothing else holds these strings.
    def declared() -> Feed:
        key = "".join(["si", "de"])
        words = {"".join(["b", "id"]): "buy", "".join(["as", "k"]): "sell"}
        trades = rows(
            at="",
            into="trades",
            symbol="s",
            channel=constant("".join(["tra", "des"])),
            price="p",
            size="q",
            side=choice(key, words),
            trade_id="i",
        )
        return Feed([message("m", when={"e": "".join(["tr", "ade"])}, rows=[trades])])

    feed = declared()
    gc.collect()
    junk = [bytes([n % 256]) * 40 for n in range(10_000)]
    payload = '{"e":"trade","s":"A","p":1,"q":2,"side":"%s","i":"%s"}'
    sides = [
        feed.rows(payload % (side, n))["trades"][0]["side"]
        for n, side in enumerate(["bid", "ask", "bid"])
    ]
    assert sides == ["buy", "sell", "buy"]
    assert len(junk) == 10_000


def test_constants_have_the_codes_of_the_feeds_dictionaries() -> None:
    dictionaries = Dictionaries()
    before = dictionaries.of("channel").code("book")
    book = rows(
        at="b[]",
        into="book",
        symbol="$.s",
        channel=constant("book"),
        side=constant("bid"),
        price="[0]",
        size="[1]",
        is_snapshot=constant(True),
    )
    Bytecode(Program("v", [message("m", rows=[book])], DATA), dictionaries)
    assert dictionaries.of("channel").code("book") == before
    codes = [dictionaries.of("side").code(side) for side in ("bid", "other")]
    assert codes == [0, 1]
