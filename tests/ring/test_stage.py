"""Rows from Python values: what is filled in, what is refused."""

from __future__ import annotations

import pytest
from tests.ring.rows import make_row, rows_of, texts_ring

from tickwire.errors import DictionaryFull
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES


def test_clocks_fill_what_is_left_out() -> None:
    ring = texts_ring()
    assert ring.append(text="a")
    assert ring.append(text="b", ts_recv=5, recv_mono=6)
    assert ring.columns["ts_recv"][0] > 10**18
    assert ring.columns["recv_mono"][0] > 0
    assert (ring.columns["ts_recv"][1], ring.columns["recv_mono"][1]) == (5, 6)


def test_a_refused_row_leaves_no_trace() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries(max_symbols=1))
    good = make_row(ring, 1) | {"symbol": "BTC"}
    consumer = Consumer(ring)
    assert ring.append(**good)
    with pytest.raises(TypeError, match="no column to fill called colour"):
        ring.append(**good, colour="red")
    with pytest.raises(TypeError, match="seq"):
        ring.append(**good, seq=1)
    with pytest.raises(ValueError, match="price of trades is not nullable"):
        ring.append(**(good | {"price": None}))
    with pytest.raises(DictionaryFull):
        ring.append(**(good | {"symbol": "ETH"}))
    with pytest.raises(ValueError, match=r"takes at most 16384 bytes .* 16385 are too many"):
        ring.append(**(good | {"trade_id": "x" * 16385}))
    assert ring.append(**good)
    assert [row["trade_id"] for row in rows_of(consumer.take())] == [good["trade_id"]] * 2


def test_nullable_text_is_null_or_empty() -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    for note in (None, b"", b"\xff", None):
        assert ring.append(text="", note=note)
    batch = consumer.take()
    batch.validate(full=True)
    assert batch.column("note").to_pylist() == [None, b"", b"\xff", None]
