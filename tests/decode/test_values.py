"""Scalars against the standard library."""

from __future__ import annotations

import json
import math
import re
import struct
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.decode.model import NUMBER, RefusedError, _time, rfc3339_ns

from tickwire.decode import _values

UNITS = (1, 1_000, 1_000_000, 1_000_000_000)


def same_float(text: str) -> None:
    found = _values.parse_number(text.encode())
    expected = float(text) if NUMBER.fullmatch(text) else None
    if expected is None:
        assert found is None, text
    else:
        assert found is not None, text
        assert struct.pack("<d", found) == struct.pack("<d", expected), text


digits = st.text("0123456789", min_size=1, max_size=30)
decimals = st.builds(
    lambda minus, whole, fraction, exponent: minus + whole + fraction + exponent,
    st.sampled_from(["", "-"]),
    digits.map(lambda x: x.lstrip("0") or "0"),
    st.one_of(st.just(""), digits.map(lambda x: "." + x)),
    st.one_of(st.just(""), st.integers(-400, 400).map(lambda e: f"e{e}")),
)


@given(decimals)
@example("9007199254740993")
@example("9007199254740992.5")
@example("0.000000000000000000000000000000000000000000000000000001")
@example("1e400")
@example("-1e-400")
@example("2.4703282292062327e-324")
@example("2.4703282292062328e-324")
@example("4.9406564584124654e-324")
@example("2.2250738585072011e-308")
@example("2.2250738585072014e-308")
@example("1.7976931348623158e308")
@example("1.7976931348623159e308")
@example("-0")
@example("-0.0")
@example("0e999")
@example("123456789012345678901234567890123456789")
def test_decimals_are_what_float_makes_of_them(text: str) -> None:
    same_float(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_shortest_text_of_a_float_gives_it_back(value: float) -> None:
    text = repr(value)
    same_float(text)
    same_float(f"{value:.16e}")


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0.0))
def test_halfway_between_two_floats_goes_to_even(value: float) -> None:
    upper = math.nextafter(value, math.inf)
    if math.isinf(upper):
        return
    above, below = value.as_integer_ratio(), upper.as_integer_ratio()
    # Both denominators are powers of two, so that the middle is a finite decimal.
    numerator = above[0] * below[1] + below[0] * above[1]
    denominator = 2 * above[1] * below[1]
    places = denominator.bit_length() - 1
    text = str(numerator * 5**places).rjust(places + 1, "0")
    whole = text[: len(text) - places].lstrip("0") or "0"
    middle = f"{whole}.{text[len(text) - places :] or '0'}"
    same_float(middle)
    same_float(middle + "1")
    same_float(middle[:-1] + "4" if middle.endswith("5") else middle)


@pytest.mark.parametrize("seed", range(20))
def test_very_long_numbers_are_exact(seed: int) -> None:
    rng = Random(seed)
    for length in (20, 300, 767, 768, 5000):
        mantissa = (
            str(rng.randrange(10 ** (length - 1), 10**length))
            if length < 4000
            else ("".join(rng.choices("0123456789", k=length)).lstrip("0"))
        )
        point = rng.randrange(1, len(mantissa))
        for text in (
            mantissa,
            f"{mantissa[:point]}.{mantissa[point:]}",
            f"0.{'0' * rng.randrange(400)}{mantissa}",
            f"{mantissa}e-{rng.randrange(len(mantissa) + 400)}",
        ):
            same_float(text)


def test_a_bounded_exponent_does_not_meet_a_long_fraction() -> None:
    same_float(f"0.{'0' * 110_000}1e1100000")
    same_float(f"1{'0' * 110_000}e-1100000")


REFUSED = (
    "",
    "-",
    "+1",
    "01",
    "-01",
    "00",
    ".5",
    "5.",
    "-.5",
    "1.e5",
    "1e",
    "1e+",
    "1e-",
    "e5",
    "1E",
    "0x10",
    "1_000",
    "1,5",
    " 1",
    "1 ",
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "inf",
    "1.2.3",
    "1e5.0",
    "--1",
    "1-",
    "1\0",
    "\0",
    "1e5e5",
    "12345678901234567890x",
    "1234567890123456789.",
    "٣",
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_rfc_8259_does_not_call_a_number_is_refused(text: str) -> None:
    assert _values.parse_number(text.encode()) is None
    assert _values.parse_integer(text.encode()) is None


@given(st.text("0123456789.-+eE x", max_size=12))
def test_the_grammar_is_that_of_rfc_8259(text: str) -> None:
    same_float(text)


@given(st.one_of(st.integers(-(2**66), 2**66), st.integers(-100, 100)))
@example(2**63 - 1)
@example(2**63)
@example(-(2**63) + 1)
@example(-(2**63))
@example(9_999_999_999_999_999_999)
@example(10**19)
def test_integers_fit_or_are_refused(value: int) -> None:
    expected = value if abs(value) < 2**63 else None
    assert _values.parse_integer(str(value).encode()) == expected


@pytest.mark.parametrize("text", ["1.0", "1e3", "1.", "0.5", "-", "007"])
def test_an_integer_has_neither_fraction_nor_exponent(text: str) -> None:
    assert _values.parse_integer(text.encode()) is None


@given(
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,25})?\Z"),
    st.sampled_from(UNITS),
)
@example("9223372036854775807", 1)
@example("9223372036854775808", 1)
@example("9223372036.854775807999", 1_000_000_000)
@example("9223372036.854775808", 1_000_000_000)
@example("0.0000000009", 1_000_000_000)
@example("-0.0000000019", 1_000_000_000)
@example("9223372037", 1_000_000_000)
@example("9223372036855", 1_000_000)
def test_times_are_cut_to_ns_in_integers(text: str, unit_ns: int) -> None:
    try:
        expected: int | None = _time(text, unit_ns)
    except RefusedError:
        expected = None
    assert _values.parse_time(text.encode(), unit_ns) == expected


@pytest.mark.parametrize("text", ["", "-", "01", "1.", ".5", "1e3", "+1", "1 ", "1.5x"])
def test_what_is_no_count_is_no_time(text: str) -> None:
    assert _values.parse_time(text.encode(), 1_000_000) is None


moments = st.datetimes(timezones=st.just(None))


@given(
    moments,
    st.sampled_from(["T", "t", " "]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+23:59", "-23:59", "+05:30", "-11:00"]),
    st.text("0123456789", max_size=12),
)
def test_rfc_3339_is_what_datetime_makes_of_it(
    moment: object, separator: str, zone: str, fraction: str
) -> None:
    text = str(moment)[:19].replace(" ", separator)
    text += ("." + fraction if fraction else "") + zone
    try:
        expected = rfc3339_ns(text)
    except OverflowError:
        return  # datetime itself holds the years 1 to 9999 only, offset included
    assert _values.parse_rfc3339(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+0000",
        "2024-01-01T00:00:00+00:60",
        "2024-1-01T00:00:00Z",
        "2024-01-01X00:00:00Z",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00.1",
        "-024-01-01T00:00:00Z",
    ],
)
def test_what_rfc_3339_does_not_allow_is_refused(text: str) -> None:
    assert _values.parse_rfc3339(text.encode()) is None


def test_a_leap_second_is_the_one_after_it() -> None:
    leap = _values.parse_rfc3339(b"2016-12-31T23:59:60.5Z")
    assert leap == _values.parse_rfc3339(b"2017-01-01T00:00:00.5Z")
    assert leap == rfc3339_ns("2016-12-31T23:59:60.5Z")


def loaded(text: bytes) -> bytes | None:
    """The content of a JSON string by `json.loads`; None where it is none or no UTF-8 holds it."""
    try:
        value = json.loads(text)
        return value.encode() if isinstance(value, str) else None
    except ValueError:
        return None


@given(st.text(max_size=60), st.booleans())
def test_strings_are_what_json_loads_makes_of_them(text: str, ascii_only: bool) -> None:
    encoded = json.dumps(text, ensure_ascii=ascii_only).encode()
    assert _values.parse_string(encoded) == text.encode() == loaded(encoded)


pieces = st.sampled_from(
    [
        "\\u",
        "\\",
        "d83d",
        "\\ude00",
        "\\ud83d",
        "\\n",
        "\\/",
        '\\"',
        "\\x",
        "00e9",
        "é",
        "a",
        '"',
        "\n",
        "\x1f",
        "\x7f",
        "\\u00",
        "\\uD83D\\uDE00",
        "\\uDFFF",
        "0123456789abcdef",
    ]
)


@given(st.lists(pieces, max_size=12))
@example(["\\ud83d", "\\", "\\ude00"])
@example(["\\ud83d", "\\u", "d83d"])
def test_escapes_are_what_json_loads_makes_of_them(parts: list[str]) -> None:
    text = f'"{"".join(parts)}"'.encode()
    assert _values.parse_string(text) == loaded(text)


documents = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(documents, st.sampled_from([None, 0, 3]), st.binary(max_size=4))
def test_a_valid_value_is_skipped_whole(value: object, indent: int | None, rest: bytes) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False).encode()
    assert _values.skip_value(text + b"," + rest) == len(text)
    if text[:1] in b'"[{':
        for cut in range(len(text)):
            assert _values.skip_value(text[:cut]) is None


@given(documents, st.randoms(use_true_random=False))
def test_strings_and_brackets_of_skipped_values_are_checked(value: object, rng: Random) -> None:
    text = bytearray(json.dumps(value).encode())
    text[rng.randrange(len(text))] = rng.choice(b'"\\[]{}:,0 \n\x01')
    text = text.lstrip()  # a value begins where it is looked for
    found = _values.skip_value(bytes(text))
    try:
        json.loads(text)
    except ValueError:
        # Scalars, colons and commas are not checked; brackets and strings are.
        if found is not None and text[:1] in b"[{":
            outside = re.sub(
                rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"', b"", text[:found]
            )
            assert b'"' not in outside
            assert balanced(outside)
    else:
        assert found == len(text.rstrip())


def balanced(text: bytes) -> bool:
    open_brackets = []
    for byte in text:
        if byte in b"[{":
            open_brackets.append(byte + 2)  # the closing one, in ASCII
        elif byte in b"]}" and (not open_brackets or open_brackets.pop() != byte):
            return False
    return not open_brackets


@pytest.mark.parametrize("brackets", [b"[]", b"{}"])
def test_nesting_is_followed_to_512(brackets: bytes) -> None:
    opening, closing = (b"[", b"]") if brackets == b"[]" else (b'{"a":', b"}")
    inner = brackets
    assert _values.skip_value(opening * 511 + inner + closing * 511) is not None
    assert _values.skip_value(opening * 512 + inner + closing * 512) is None


@pytest.mark.parametrize("stop", [*b'"\\\x00\x1f[]{}', None])
def test_simd_stops_where_plain_code_does(stop: int | None) -> None:
    for length in range(70):
        for at in range(length if stop is not None else 1):
            text = bytearray(b" !#a\x7f\x80\xff~;<z|^Z" * 5)[:length]
            if stop is not None:
                text[at] = stop
            for start in range(min(length, 18)):
                string, plain_string, structure, plain_structure = _values.stops(bytes(text), start)
                assert string == plain_string
                assert structure == plain_structure
                if stop is not None and at >= start:
                    assert at in (string, structure)
