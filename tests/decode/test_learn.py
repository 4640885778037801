"""Scripts learned from any text that a declaration takes, against the model."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decode.declarations import GROUPS
from tests.decode.documents import Writer, expectations
from tests.decode.feeds import DATA
from tests.decode.pairs import Pair

from tickwire.decode.plan import Message

PLACES = [
    pytest.param(group, message, id=f"{group}, {message.name}")
    for group, messages in GROUPS.items()
    for message in messages
]
# What ends or begins something, and what is of no text.
HOSTILE = ('"', "\\", "{", "}", "[", "]", ",", ":", "-", "e", "0", " ", "\x00", "n")
LATER = pytest.mark.thorough
SCALAR = re.compile(r'(?<=[:\[,])(?:-?[0-9][0-9.eE+-]*|"[^"\\]*"(?!:)|true|false)')
# A digit in the middle of a number.
DIGIT = re.compile(r"(?<=[0-9.])[0-9](?=[0-9])")


def shapes_of(
    message: Message, rng: Random, n: int, *, mistakes: float = 0.0, noise: float = 0.05
) -> list[str]:
    """Give documents of a message, each of a shape of its own or nearly so."""
    writer = Writer(rng, mistakes=mistakes, noise=noise, steady=True)
    return [writer.write(expectations(message, DATA)) for _ in range(n)]


def varied(text: str, rng: Random) -> str:
    """Give the text with other digits: of the same shape."""
    return DIGIT.sub(lambda _: rng.choice("0123456789"), text)


@given(seed=st.integers(0, 1 << 32), group=st.sampled_from(sorted(GROUPS)))
def test_shapes_that_alternate(seed: int, group: str) -> None:
    pair, rng = Pair(GROUPS[group]), Random(seed)
    shapes = [
        shape
        for message in rng.choices(GROUPS[group], k=2)
        for shape in shapes_of(message, rng, 3, mistakes=rng.choice((0.0, 0.1)))
    ]
    for _ in range(30):
        pair.read(varied(rng.choice(shapes), rng))


# Each message meets one byte, all bytes meet a message; each with each is thorough.
@pytest.mark.volume
@pytest.mark.parametrize(
    ("group", "message", "byte"),
    [
        pytest.param(
            *place.values,
            byte,
            id=f"{place.id}-{byte}",
            marks=() if (at - number) % len(HOSTILE) == 0 else LATER,
        )
        for at, place in enumerate(PLACES)
        for number, byte in enumerate(HOSTILE)
    ],
)
def test_every_byte_replaced_after_learning(group: str, message: Message, byte: str) -> None:
    (text,) = shapes_of(message, Random(5), 1, noise=0.0)
    pair = learned(group, text)
    for at in range(len(text)):
        damaged = text[:at] + byte + text[at + 1 :]
        if is_json(damaged):
            pair.read(damaged)
            pair.read(text)
            continue
        rows = pair.feed.rows(damaged)
        if pair.feed.reasons():
            assert not rows
        else:  # it stands in a value that nothing names, which is not looked at closely
            pair = learned(group, text)
        pair.read(text)


def learned(group: str, text: str) -> Pair:
    pair = Pair(GROUPS[group])
    for _ in range(3):
        pair.read(text)
    return pair


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.volume
@pytest.mark.parametrize(
    "value", ["1.5", '"1.5"', "null", '""', "true", '"x"', '"\\u0031"', "-1", "1e3", "[]", "{}"]
)
@pytest.mark.parametrize(("group", "message"), PLACES)
def test_a_value_of_another_form_after_learning(group: str, message: Message, value: str) -> None:
    rng = Random(7)
    (text,) = shapes_of(message, rng, 1, noise=0.0)
    pair = learned(group, text)
    scalars = list(SCALAR.finditer(text))
    for match in rng.sample(scalars, min(len(scalars), 12)):
        other = text[: match.start()] + value + text[match.end() :]
        for _ in range(3):
            pair.read(other)
            pair.read(text)
