"""Codes are stable, bounded and shared with Arrow."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.errors import DictionaryFull
from tickwire.ring import Dictionaries, Dictionary

texts = st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.lists(texts, max_size=400))
def test_codes_are_the_order_of_first_appearance(values: list[str]) -> None:
    dictionary = Dictionary(1000, 200_000)
    model: dict[str, int] = {}
    for value in values:
        assert dictionary.code(value) == model.setdefault(value, len(model))
    assert len(dictionary) == len(model)
    assert [dictionary.value(code) for code in range(len(model))] == list(model)
    array = dictionary.to_arrow()
    array.validate(full=True)
    assert array.to_pylist() == list(model)


def test_many_values_keep_their_codes_while_the_table_grows() -> None:
    dictionary = Dictionary(65536)
    names = [f"{i:x}{'USDT' * (i % 5)}" for i in range(65536)]
    for code, name in enumerate(names):
        assert dictionary.code(name) == code
    order = random.Random(1).sample(range(65536), 5000)
    assert all(dictionary.code(names[code]) == code for code in order)
    with pytest.raises(DictionaryFull, match="65536 of 65536"):
        dictionary.code("one more")
    assert dictionary.code(names[7]) == 7


@pytest.mark.parametrize("n", range(34))
def test_values_that_differ_in_one_byte_differ(n: int) -> None:
    dictionary = Dictionary()
    base = "x" * n
    values = [base, *(base[:i] + "y" + base[i + 1 :] for i in range(n)), base + "x"]
    assert [dictionary.code(value) for value in values] == list(range(n + 2))
    assert [dictionary.code(value) for value in reversed(values)] == list(range(n + 1, -1, -1))


def test_a_value_has_at_most_255_bytes() -> None:
    dictionary = Dictionary()
    assert dictionary.code("é" * 127 + "x") == 0
    with pytest.raises(DictionaryFull, match="255 bytes"):
        dictionary.code("é" * 128)
    assert len(dictionary) == 1


def test_bytes_are_bounded() -> None:
    dictionary = Dictionary(100, 10)
    assert dictionary.code("12345678") == 0
    with pytest.raises(DictionaryFull):
        dictionary.code("abc")
    assert dictionary.code("ab") == 1
    assert dictionary.code("") == 2


def test_unknown_codes_are_refused() -> None:
    dictionary = Dictionary()
    dictionary.code("a")
    for code in (-1, 1, 2**40):
        with pytest.raises(IndexError):
            dictionary.value(code)


@pytest.mark.parametrize("bounds", [(0, 10), (-1, 10), (1, 0), (1, 2**31)])
def test_bounds_are_checked(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="max_"):
        Dictionary(*bounds)


def test_an_arrow_array_outlives_its_dictionary() -> None:
    dictionary = Dictionary()
    dictionary.code("BTC")
    array = dictionary.to_arrow()
    del dictionary
    assert array.equals(pa.array(["BTC"]))


def test_a_name_has_one_dictionary() -> None:
    dictionaries = Dictionaries()
    assert dictionaries.of("side") is dictionaries.of("side")
    assert dictionaries.of("side") is not dictionaries.of("channel")
    assert dictionaries.of("venue") is dictionaries.venue
    assert dictionaries.of("symbol") is dictionaries.symbol
    assert dictionaries.symbol.max_values == 65536
    assert Dictionaries(max_symbols=9).symbol.max_values == 9


def test_values_of_every_length_of_utf_8_have_codes() -> None:
    dictionary = Dictionary()
    # The ends of what two, three and four bytes say, and of the surrogates between.
    names = [
        "\x7f",
        "\x80",
        "\u07ff",
        "\u0800",
        "\ud7ff",
        "\ue000",
        "\uffff",
        "\U00010000",
        "\U0010ffff",
    ]
    assert [dictionary.code(f"a{name}b") for name in names] == list(range(len(names)))
    assert [dictionary.value(code) for code in range(len(names))] == [f"a{name}b" for name in names]
