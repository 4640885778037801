"""Answers with trades: each trade's id and its text as it was written, or an error."""

from __future__ import annotations

import pytest

from tickwire.errors import DecodeError
from tickwire.feed.streams.trade_pages import trades_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b'[{"id":3,"p":"1.0"}]', [(3, '{"id":3,"p":"1.0"}')]),
        (b' [ {"id": 3 } , {"id":2}\n]', [(2, '{"id":2}'), (3, '{"id": 3 }')]),
        (b'[{"id":1e-0,"id":1234567890123456789}]', None),
        (b'[{"id":0},{"id":0,"p":"2"}]', [(0, '{"id":0}')]),
        (b'[{"id":"12"}]', [(12, '{"id":"12"}')]),
    ],
)
def test_trades_keep_their_text(text: bytes, found: list[tuple[int, str]] | None) -> None:
    if found is None:
        [(number, kept)] = trades_of(text, "id", 9)
        assert (number, f"[{kept}]".encode()) == (1234567890123456789, text)
    else:
        assert trades_of(text, "id", 9) == found


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[", b"{}", b'[{"id":1}', b"[1]", b"[{}]", b'[{"id":1};]', b"[" * 100_000,
        b'[{"id":1e999}]', b'[{"id":1.5}]', b'[{"id":"1.0"}]', b'[{"id":"-1"}]', b'[{"id":"x"}]',
        b'[{"id":true}]', b'[{"id":-1}]',
        b'[{"id":9223372036854775808}]', b'[{"id":1},{"id":2},{"id":3}]',
        b'[{"id":1,"p":"' + b"1" * 10_000 + b'"}]',
    ],
)  # fmt: skip
def test_what_is_no_array_of_trades_is_an_error(text: bytes) -> None:
    with pytest.raises(DecodeError, match="trades, which begin"):
        trades_of(text, "id", 2)
