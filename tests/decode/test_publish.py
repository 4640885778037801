"""Rows of a read appear together, with the columns that they share."""

from __future__ import annotations

from tests.decode.feeds import VENUE, Feed

from tickwire.decode.plan import message, rows

BOTH = message(
    "both",
    rows=[
        rows(at="m[]", into="mids", symbol="s", price="p"),
        rows(at="q[]", into="quotes", symbol="s"),
    ],
)


def test_rows_of_all_tables_have_what_the_read_gives() -> None:
    feed = Feed([BOTH])
    other = feed.decoder.connection(9)
    text = b'{"m":[{"s":"A","p":1},{"s":"B","p":2}],"q":[{"s":"C"}]}'
    assert feed.connection.decode(text, 100, 5)
    assert other.decode(text, 200, 6)
    for table, symbols in {"mids": ["A", "B"], "quotes": ["C"]}.items():
        found = feed.take(table)
        assert [row["symbol"] for row in found] == symbols * 2
        assert [(row["venue"], row["ts_recv"], row["conn"]) for row in found] == [
            (VENUE, ts_recv, conn) for ts_recv, conn in ((100, 7), (200, 9)) for _ in symbols
        ]


def test_nothing_appears_of_a_message_that_fails() -> None:
    feed = Feed([BOTH])
    assert feed.rows('{"m":[{"s":"A","p":1}],"q":[{}]}') == {}
    assert [reason for reason, _ in feed.reasons()] == ["missing"]
