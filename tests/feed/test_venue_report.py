"""What a report says of a declaration and a capture: kinds, rows, failures, chains."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.venues.own import TRADES, declare

from tickwire.capture import Capture
from tickwire.decode.plan import (
    constant,
    equal,
    integer,
    message,
    prefix,
    present,
    rows,
    suffix,
    unlike,
)
from tickwire.feed.venue_report import UNKNOWN, Report, kind_of, lines, report
from tickwire.venues import BookRule, Venue, counted, linked, per_connection, ranges

BOOK = message(
    "book",
    when={"type": equal("snapshot", "delta")},
    spliced=True,
    rows=[
        rows(
            at="b[]",
            into="book",
            symbol="$.s",
            channel=constant("book"),
            side=constant("bid"),
            price="[0]",
            size="[1]",
            is_snapshot="$.full",
            venue_seq="$.u",
            venue_prev_seq="$.pu",
        )
    ],
)


def own(rule: BookRule | None = None, **changed: Any) -> Venue:
    pong = message("pong", raw="pong", kind="pong")
    given = {"messages": (TRADES, BOOK, pong), "unsubscribe": lambda _, number: str(number)}
    return declare(book=rule, **given | changed)


def book(u: int, pu: int, *, full: bool = False, symbol: str = "A") -> dict[str, Any]:
    kind = "snapshot" if full else "delta"
    return {"type": kind, "s": symbol, "full": full, "u": u, "pu": pu, "b": [["1.5", "2"]]}


def made(folder: Path, venue: Venue, *sent: object, passes: int = 0) -> Report:
    path = folder / "capture.jsonl"
    texts = [each if isinstance(each, str) else json.dumps(each) for each in sent]
    path.write_text("".join(f"{text}\n" for text in texts))
    return report(venue, Capture.open(path), passes=passes)


def trade(number: int, **changed: object) -> dict[str, object]:
    plain = {"type": "trade", "s": "A", "t": 1, "p": "1.5", "q": "2", "side": "buy"}
    return plain | {"id": str(number)} | changed


def test_messages_are_counted_by_kind_with_their_rows(tmp_path: Path) -> None:
    found = made(tmp_path, own(), trade(1), trade(2), trade(3, p="x"), "pong", {"new": 1}, passes=1)
    kinds = {each.name: each for each in found.kinds}
    trades = kinds["trade"]
    assert (trades.messages, trades.failed, dict(trades.rows)) == (3, 1, {"trades": 2})
    assert dict(trades.reasons) == {"bad_number": 1}
    assert '"p": "x"' in trades.example
    assert trades.ns is not None
    assert trades.ns > 0
    assert kinds["pong"].messages == 1
    assert (kinds[UNKNOWN].messages, kinds[UNKNOWN].example) == (1, '{"new": 1}')
    assert not found.is_good
    text = "\n".join(lines(found))
    assert "no message of: book" in text
    assert "bad_number: 1" in text
    assert "continuity: not checked: the venue declares no rule" in text


LINKED = BookRule(chain=linked())
COUNTED = BookRule(chain=counted(restart=1))


@pytest.mark.parametrize(
    ("rule", "sent", "checked", "broken", "snapshots"),
    [
        (LINKED, [book(5, -1, full=True), book(8, 5), book(9, 8)], 2, 0, 1),
        (LINKED, [book(5, -1, full=True), book(9, 8)], 1, 1, 1),
        (LINKED, [book(5, -1, full=True), book(7, 6, symbol="B"), book(8, 5)], 1, 0, 1),
        (COUNTED, [book(5, 0, full=True), book(6, 0), book(7, 0)], 2, 0, 1),
        (COUNTED, [book(5, 0, full=True), book(7, 0), book(8, 0)], 2, 1, 1),
        (COUNTED, [book(5, 0, full=True), book(1, 0), book(2, 0)], 1, 0, 2),
    ],
)
def test_chains(
    tmp_path: Path, rule: BookRule, sent: list[Any], checked: int, broken: int, snapshots: int
) -> None:
    chain = made(tmp_path, own(rule), *sent).chain
    assert (chain.checked, chain.broken, chain.snapshots) == (checked, broken, snapshots)


def test_a_connection_is_counted_over_all_its_messages(tmp_path: Path) -> None:
    rule = BookRule(chain=per_connection("n"), repair="reconnect")
    sent = [trade(1) | {"n": 4}, book(1, 0) | {"n": 5}, trade(2), trade(3) | {"n": 7}]
    chain = made(tmp_path, own(rule), *sent).chain
    assert (chain.rule, chain.checked, chain.broken) == ("per_connection", 2, 1)


def test_a_number_of_a_connection_may_be_quoted(tmp_path: Path) -> None:
    rule = BookRule(per_connection("n"), repair="reconnect")
    sent = [trade(number, n=str(n)) for number, n in enumerate((7, 8, 10))]
    chain = made(tmp_path, own(rule), *sent, "pong", trade(9, n=None)).chain
    assert (chain.checked, chain.broken) == (2, 1)


def test_ranges_that_no_row_has_are_not_called_broken(tmp_path: Path) -> None:
    [plain] = BOOK.rows
    fields = {name: each for name, each in plain.fields.items() if name != "venue_prev_seq"}
    numbered = replace(plain, fields=fields, first_seq=integer("$.pu"))
    messages = (TRADES, replace(BOOK, rows=(numbered,)))
    venue = own(BookRule(ranges()), messages=messages)
    found = made(tmp_path, venue, book(1, 0, full=True), book(3, 2), book(9, 4))
    assert found.is_good
    assert "venue_prev_seq" in found.chain.note


def test_a_good_capture_is_good(tmp_path: Path) -> None:
    assert made(tmp_path, own(LINKED), trade(1), book(5, -1, full=True), book(6, 5)).is_good


@pytest.mark.parametrize(
    ("test", "holds", "fails"),
    [
        (equal("a", True), [{"x": "a"}, {"x": True}], [{"x": 1}, {"x": "b"}, {}]),
        (unlike("a"), [{"x": "b"}, {}], [{"x": "a"}]),
        (prefix("ab"), [{"x": "abc"}], [{"x": "a"}, {"x": 1}, {}]),
        (suffix("bc"), [{"x": "abc"}], [{"x": "ab"}]),
    ],
)
def test_kinds_are_told_by_their_tests(test: Any, holds: list[Any], fails: list[Any]) -> None:
    (found,) = (replace(TRADES, when={"x": test}),)
    for documents, expected in ((holds, found), (fails, None)):
        for document in documents:
            assert kind_of([found], json.dumps(document).encode()) is expected


@pytest.mark.parametrize(
    ("path", "document", "is_there"),
    [
        ("a.b", {"a": {"b": None}}, True),
        ("a[1]", {"a": [1, 2]}, True),
        ("a[-1]", {"a": [1]}, True),
        ("a[1]", {"a": [1]}, False),
        ("a.b", {"a": [1]}, False),
        ("a[0]", {"a": "text"}, False),
        ("a.b", {"a": None}, False),
    ],
)
def test_paths_lead_where_the_decoder_looks(path: str, document: Any, is_there: bool) -> None:
    found = replace(TRADES, when={path: present()})
    assert (kind_of([found], json.dumps(document).encode()) is found) == is_there
