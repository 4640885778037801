"""What a report says of a declaration and a capture: kinds, rows, failures, chains."""

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.venues.own import TRADES, declare

from tickwire.capture import Capture
from tickwire.decode.plan import constant, equal, integer, message, rows
from tickwire.feed.replays.venue_report import UNKNOWN, Report, lines, report
from tickwire.venues import (
    BookRule,
    Venue,
    counted,
    linked,
    load,
    per_connection,
    ranges,
)

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
    ("rule", "sent", "counts", "n_rows"),
    [  # counts: checked, broken, snapshots, withheld
        (LINKED, [book(5, -1, full=True), book(8, 5), book(9, 8)], (2, 0, 1, 0), 3),
        (LINKED, [book(5, -1, full=True), book(9, 8), book(10, 9)], (1, 1, 1, 2), 1),
        (LINKED, [book(5, -1, full=True), book(7, 6, symbol="B"), book(8, 5)], (1, 0, 1, 1), 2),
        (COUNTED, [book(5, 0, full=True), book(6, 0), book(7, 0)], (2, 0, 1, 0), 3),
        (COUNTED, [book(5, 0, full=True), book(7, 0), book(8, 0, full=True)], (1, 1, 2, 1), 2),
        (COUNTED, [book(5, 0, full=True), book(1, 0), book(2, 0)], (1, 0, 2, 0), 3),
        (COUNTED, [book(5, 0, full=True), book(5, 0), book(6, 0)], (1, 0, 1, 1), 2),
    ],
)
def test_chains_are_what_a_feed_s_follower_says(
    tmp_path: Path, rule: BookRule, sent: list[Any], counts: tuple[int, ...], n_rows: int
) -> None:
    """What it withholds gives no rows, as in a feed."""
    found = made(tmp_path, own(rule), *sent)
    chain = found.chain
    assert (chain.checked, chain.broken, chain.snapshots, chain.withheld) == counts
    [kind] = [each for each in found.kinds if each.name == "book"]
    assert kind.rows.get("book", 0) == n_rows
    assert found.is_good is (chain.broken == 0)


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


def test_ranges_need_no_column(tmp_path: Path) -> None:
    [plain] = BOOK.rows
    fields = {name: each for name, each in plain.fields.items() if name != "venue_prev_seq"}
    numbered = replace(plain, fields=fields, first_seq=integer("$.pu"))
    messages = (TRADES, replace(BOOK, rows=(numbered,)))
    venue = own(BookRule(ranges()), messages=messages)
    chain = made(tmp_path, venue, book(1, 0, full=True), book(3, 2), book(9, 5)).chain
    assert (chain.checked, chain.broken) == (2, 1)


def test_a_book_that_begins_by_rest_is_followed_from_its_first_change(tmp_path: Path) -> None:
    """And goes on behind a hole: all of its changes are decoded."""

    def delta(first: int, last: int) -> dict[str, Any]:
        data = {"e": "depthUpdate", "E": 1, "s": "AB", "U": first, "u": last}
        return {"stream": "ab@depth@100ms", "data": data | {"b": [["1.5", "2"]], "a": []}}

    found = made(tmp_path, load("binance"), delta(1, 2), delta(3, 5), delta(7, 9))
    chain = found.chain
    assert (chain.rule, chain.checked, chain.broken, chain.withheld) == ("ranges", 2, 1, 0)
    assert sum(each.rows.get("book", 0) for each in found.kinds) == 3


def test_each_channel_of_books_has_a_chain_of_its_own(tmp_path: Path) -> None:
    def delta(depth: int, u: int, kind: str) -> dict[str, Any]:
        data = {"s": "AB", "b": [["1.5", "2"]], "a": [], "u": u}
        return {"topic": f"orderbook.{depth}.AB", "type": kind, "cts": 1, "data": data}

    sent = [delta(50, 5, "snapshot"), delta(200, 90, "snapshot"), delta(50, 6, "delta")]
    chain = made(tmp_path, load("bybit"), *sent, delta(200, 91, "delta")).chain
    assert (chain.checked, chain.broken, chain.snapshots) == (2, 0, 2)


def kraken(kind: str, levels: list[tuple[float, float]], sum_: int) -> dict[str, Any]:
    bids = [{"price": price, "qty": size} for price, size in levels]
    data = {"symbol": "A/B", "bids": bids, "asks": [], "checksum": sum_}
    return {"channel": "book", "type": kind, "data": [data]}


def test_checksums_are_verified_at_the_depth_that_fits(tmp_path: Path) -> None:
    """A book of ten levels whose eleventh has come up again, because one was deleted."""
    levels = [(20.5 - n, 1.5) for n in range(10)]
    sums = [of_levels(levels), of_levels([(21.5, 1.5), *levels[:9]]), of_levels(levels[:9])]
    sent = [
        kraken("snapshot", levels, sums[0]),
        kraken("update", [(21.5, 1.5)], sums[1]),
        kraken("update", [(21.5, 0.0)], sums[2]),
    ]
    found = made(tmp_path, load("kraken"), *sent)
    assert (found.chain.checked, found.chain.broken, found.chain.channel) == (3, 0, "book:10")
    assert found.is_good
    assert "continuity (checksum as book:10): 3 checked, 0 broken" in "\n".join(lines(found))
    sent[1] = kraken("update", [(21.5, 1.25)], sums[1])
    chain = made(tmp_path, load("kraken"), *sent).chain
    assert (chain.broken, chain.withheld) == (1, 2)


def of_levels(bids: list[tuple[float, float]]) -> int:
    text = "".join(f"{price:.1f}{size:.1f}".replace(".", "") for price, size in bids)
    return zlib.crc32(text.encode())


def test_a_good_capture_is_good(tmp_path: Path) -> None:
    assert made(tmp_path, own(LINKED), trade(1), book(5, -1, full=True), book(6, 5)).is_good
