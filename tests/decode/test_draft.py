"""The steps of scripts: literals of any length, skipped values, more steps than a script has."""

from __future__ import annotations

import pytest
from tests.decode.pairs import Pair

from tickwire.decode.plan import message, rows

pytestmark = pytest.mark.usefixtures("kernels")

MIDS = (
    message(
        "mids",
        when={"e": "mids"},
        rows=[rows(at="", into="mids", symbol="s", price="p")],
    ),
)


def payload(between: str, price: object = "1.5") -> str:
    return f'{{"e":"mids","s":"A",{between}"longer":"than 32 bytes","p":{price}}}'


@pytest.mark.parametrize("n", [0, 1, 20, 31, 32, 33, 63, 64, 65, 200])
def test_literals_of_any_length(n: int) -> None:
    pair = Pair(MIDS)
    key = "k" * n
    for number in range(4):
        assert pair.read(payload(f'"{key}":1,', number)) == (number > 0)
    assert not pair.read(payload(f'"{key}k":1,'))
    assert pair.read(payload(f'"{key}k":1,'))
    assert pair.read(payload(f'"{key}":1,'))


@pytest.mark.parametrize(
    ("first", "fits", "others"),
    [
        ("1", ("0", "12.5", "-3", "null", "true", "1e9"), ('"1"', "[1]", "{}")),
        ('"a"', ('""', '"bc"', f'"{"x" * 300}"'), ("1", "null", '["a"]')),
        ('["a","b"]', ('["c",""]',), ('["a"]', '["a","b","c"]', "[1,2]", "[]")),
        ('["a",1]', ("[]", '["x","y","z"]', "[[1],{}]"), ('"a"', "{}", "1")),
        ('{"a":1}', ("{}", '{"b":[]}'), ("[]", '"a"', "null")),
        (str(["a"] * 12).replace("'", '"'), ("[]", '["x"]'), ('"a"',)),
    ],
)
def test_values_that_are_skipped(
    first: str, fits: tuple[str, ...], others: tuple[str, ...]
) -> None:
    for text in fits:
        pair = Pair(MIDS)
        assert not pair.read(payload(f'"x":{first},'))
        assert pair.read(payload(f'"x":{text},', 2))
    for text in others:
        pair = Pair(MIDS)
        assert not pair.read(payload(f'"x":{first},'))
        assert not pair.read(payload(f'"x":{text},', 2))
        assert pair.read(payload(f'"x":{text},', 3))
        assert pair.read(payload(f'"x":{first},', 4))


def test_a_message_of_more_values_than_a_script_has_steps_is_walked() -> None:
    for n, is_scripted in ((80, True), (120, False)):
        pair = Pair(MIDS)
        between = "".join(f'"x{i}":{i},' for i in range(n))
        for number in range(6):
            assert pair.read(payload(between, number)) == (is_scripted and number > 0)
        # One that is shorter is learned all the same, if not at once.
        assert [pair.read(payload("", number)) for number in range(10)][-1]


@pytest.mark.parametrize("text", ['"\\u0065"', '"e\\n"'])
def test_keys_with_escapes_are_walked(text: str) -> None:
    pair = Pair(MIDS)
    for number in range(3):
        assert not pair.read(payload(f"{text}:1,", number))
    assert [pair.read(payload("", number)) for number in range(10)][-1]
