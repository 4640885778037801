"""Books that begin in band, in the decoder: what is published, what is refused, what is counted."""

import json
import zlib
from typing import Any

import pytest
from tests.decode.feeds import Feed
from tests.venues.chained import MESSAGES

from tickwire.book import BookChecksums, BookFollower


def book(kind: str, **numbers: Any) -> str:
    levels = {"b": [["1.50", "2.0"]], "a": []}
    return json.dumps({"k": "book", "t": kind, "s": "A"} | levels | numbers)


class Chained(Feed):
    """A feed of these messages."""

    def __init__(self, chain: str, begin: str = "in_band", **options: Any) -> None:
        self.follower = BookFollower(chain, begin, **options.pop("spec", {}))
        super().__init__(MESSAGES, follower=self.follower, **options)

    def seqs(self, *payloads: str) -> list[int | None]:
        for payload in payloads:
            assert self.offer(payload)
        return [row["venue_seq"] for row in self.take("book")]


def numbered(chain: str, kind: str, last: int, prev: int) -> str:
    numbers = {"linked": {"u": last, "p": prev}, "counted": {"u": last}}
    return book(kind, **numbers.get(chain, {"u": last, "U": prev + 1}))


@pytest.mark.parametrize("chain", ["linked", "counted", "ranges"])
def test_a_change_is_published_behind_the_one_that_it_follows(chain: str) -> None:
    feed = Chained(chain)
    steps = [("delta", 4, 3), ("snapshot", 5, 4), ("delta", 6, 5), ("delta", 7, 6)]
    assert feed.seqs(*(numbered(chain, *step) for step in steps)) == [5, 6, 7]
    assert feed.follower.take_news() == [(0, "begun", 2, None, 7)]
    # A repeat changes nothing; a hole ends it, until the next snapshot.
    steps = [("delta", 7, 6), ("delta", 10, 9), ("delta", 11, 10)]
    assert feed.seqs(*(numbered(chain, *step) for step in steps)) == []
    lost = None if chain == "linked" else 2
    assert feed.follower.take_news() == [(0, "numbers", 4, lost, 7)]
    assert feed.follower.waiting() == [0]
    assert feed.seqs(numbered(chain, "snapshot", 20, 19), numbered(chain, "delta", 21, 20)) == [
        20,
        21,
    ]
    assert feed.follower.take_news() == [(0, "begun", 8, None, 7)]
    assert feed.follower.n_withheld == 4


def test_a_message_often_repeated_is_read_by_a_script_and_checked_as_well() -> None:
    feed = Chained("counted")
    assert feed.seqs(book("snapshot", u=1)) == [1]
    assert feed.seqs(*(book("delta", u=n) for n in range(2, 200))) == list(range(2, 200))
    assert feed.decoder.scripted["book"] > 100
    assert feed.seqs(book("delta", u=201)) == []
    assert feed.follower.take_news()[-1][1:4] == ("numbers", 199, 1)


def test_a_connection_that_has_ended_begins_no_book() -> None:
    feed = Chained("counted")
    feed.connection.has_ended = True
    assert feed.seqs(book("snapshot", u=1), book("delta", u=2)) == []
    assert feed.follower.n_begun == 0
    quote = json.dumps({"k": "quote", "s": "A", "T": 1, "u": 5, "b": "1", "B": "1"})
    assert feed.offer(quote)
    assert len(feed.take("quotes")) == 1  # its other rows are right by themselves


def test_numbers_that_fall_follow_where_they_link() -> None:
    feed = Chained("linked")
    assert feed.seqs(book("snapshot", u=100, p=-1), book("delta", u=3, p=100)) == [100, 3]
    assert feed.seqs(book("delta", u=3, p=3), book("delta", u=9, p=3)) == [3, 9]
    assert feed.seqs(book("delta", u=5, p=4)) == []
    assert [each[1] for each in feed.follower.take_news()] == ["begun", "numbers"]


def test_a_service_that_restarts_sends_a_snapshot_whatever_it_is_called() -> None:
    feed = Chained("counted", spec={"restart": 1})
    assert feed.seqs(book("snapshot", u=7), book("delta", u=1), book("delta", u=2)) == [7, 1, 2]
    assert feed.follower.n_breaks == 0


@pytest.mark.parametrize(("begin", "after_a_hole"), [("first_message", []), ("empty", [9])])
def test_a_book_may_begin_with_any_message(begin: str, after_a_hole: list[int]) -> None:
    feed = Chained("counted", begin)
    assert feed.seqs(book("delta", u=5), book("delta", u=6)) == [5, 6]
    assert feed.seqs(book("delta", u=9)) == after_a_hole
    assert feed.follower.n_breaks == 1
    if begin == "first_message":
        feed.follower.reset(0)
        assert feed.seqs(book("delta", u=20), book("delta", u=21)) == [20, 21]


def test_what_a_book_begins_with_is_a_snapshot_in_its_rows() -> None:
    def flags(feed: Chained, *numbers: int) -> list[bool]:
        for number in numbers:
            assert feed.offer(book("delta", u=number))
        return [row["is_snapshot"] for row in feed.take("book")]

    first = Chained("counted", "first_message")
    assert flags(first, 5, 6) == [True, False]
    first.follower.reset(0)
    assert flags(first, 20, 21) == [True, False]
    assert flags(Chained("counted", "empty"), 5, 6, 9, 10) == [True, False, True, False]
    restarted = Chained("counted", spec={"restart": 1})
    assert restarted.seqs(book("snapshot", u=7)) == [7]
    assert flags(restarted, 8, 1, 2) == [False, True, False]


def counted(number: int | None, **content: Any) -> str:
    numbers = {} if number is None else {"n": number}
    return json.dumps(content | numbers)


def test_all_messages_of_a_connection_are_counted() -> None:
    feed = Chained("per_connection", number="n")
    assert feed.seqs(
        counted(0, ok=1),
        counted(1, **json.loads(book("snapshot"))),
        counted(2, k="beat"),
        counted(3, k="quote", s="B", b=1, B=1),
        counted(4, what="is this"),
        "no JSON",
        counted(6, **json.loads(book("delta"))),
        counted(None, ok=1),
    ) == [None, None]
    assert feed.follower.n_breaks == 0
    assert feed.connection.take_events()
    # An acknowledgement is missing: of whom is not known, so the book waits.
    assert (
        feed.seqs(counted(8, k="quote", s="B", b=1, B=1), counted(9, **json.loads(book("delta"))))
        == []
    )
    assert feed.follower.take_broken_connections() == [(7, 1, 7, 9)]
    assert [each[1] for each in feed.follower.take_news()] == ["begun", "connection"]
    # What comes again is left out, whatever it is of.
    assert len(feed.take("quotes")) == 2
    assert feed.seqs(counted(9, k="quote", s="B", b=1, B=1)) == []
    assert feed.take("quotes") == []


def test_of_another_connection_only_a_snapshot_is_taken() -> None:
    feed = Chained("per_connection", number="n")
    other = feed.decoder.connection(8)
    assert feed.seqs(counted(0, **json.loads(book("snapshot")))) == [None]
    delta, snapshot = (json.loads(book(kind)) for kind in ("delta", "snapshot"))
    assert other.decode(counted(0, **delta).encode(), 2)
    assert feed.take("book") == []
    assert other.decode(counted(1, **snapshot).encode(), 3)
    assert [row["conn"] for row in feed.take("book")] == [8]
    assert feed.seqs(counted(1, **delta)) == []
    assert other.decode(counted(2, **delta).encode(), 4)
    assert len(feed.take("book")) == 1
    assert feed.follower.n_breaks == 0


@pytest.mark.parametrize("chain", ["linked", "counted", "ranges"])
def test_two_connections_fill_each_others_holes(chain: str) -> None:
    feed = Chained(chain)
    feed.follower.is_shared = True
    other = feed.decoder.connection(8)
    assert feed.seqs(numbered(chain, "snapshot", 5, 4), numbered(chain, "delta", 6, 5)) == [5, 6]
    for kind, last in (("snapshot", 5), ("delta", 6), ("delta", 7)):
        assert other.decode(numbered(chain, kind, last, last - 1).encode(), 2)
    assert [row["venue_seq"] for row in feed.take("book")] == [7]
    assert feed.seqs(numbered(chain, "delta", 9, 8)) == []
    assert (feed.follower.n_ahead, feed.follower.n_breaks) == (1, 0)
    for last in (8, 9):
        assert other.decode(numbered(chain, "delta", last, last - 1).encode(), 2)
    assert [row["venue_seq"] for row in feed.take("book")] == [8, 9]
    assert (feed.follower.n_ahead, feed.follower.n_breaks) == (0, 0)
    # A hole that no connection fills is one.
    assert feed.seqs(numbered(chain, "delta", 12, 11)) == []
    feed.follower.give_up_holes(0)
    lost = None if chain == "linked" else 2
    assert feed.follower.take_news()[-1][1:4] == ("numbers", 2, lost)


def crc_of(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    """Give the checksum as Kraken's documentation has it."""
    text = "".join(
        number.replace(".", "").lstrip("0") for level in [*asks, *bids] for number in level
    )
    return zlib.crc32(text.encode())


def summed(kind: str, change: list[tuple[str, str]], after: list[tuple[str, str]]) -> str:
    return json.dumps({
        "k": "book", "t": kind, "s": "A", "b": change, "a": [], "c": crc_of(after, []),
    })  # fmt: skip


def checked(depth: int = 2) -> tuple[Chained, BookChecksums]:
    checksums = BookChecksums(10, depth=depth)
    return Chained("checksum", checksums=checksums), checksums


def test_a_checksum_verifies_the_book_after_each_message() -> None:
    feed, checksums = checked()
    first = [("5.10", "1.500"), ("5.00", "2.000")]
    assert len(feed.seqs(summed("snapshot", first, first))) == 2
    assert checksums.decimals(0) == (2, 3)
    # The client truncates: the level behind the second is gone, and does not come back.
    second = [("5.20", "0.100"), ("5.10", "1.500")]
    assert len(feed.seqs(summed("delta", second[:1], second))) == 1
    third = [("5.10", "1.500")]
    assert len(feed.seqs(summed("delta", [("5.20", "0.000")], third))) == 1
    assert (checksums.n_checked, checksums.n_mismatched) == (3, 0)
    # A change is lost.
    assert feed.seqs(summed("delta", [("4.00", "1.000")], [("4.50", "1.000"), *third])) == []
    assert feed.follower.take_news()[-1][1:3] == ("checksum", 3)
    assert (checksums.n_checked, checksums.n_mismatched) == (4, 1)
    assert (checksums.counts(0), checksums.counts(1)) == ((4, 1), (0, 0))
    assert feed.seqs(summed("delta", [("4.00", "0.000")], third)) == []
    assert len(feed.seqs(summed("snapshot", first, first))) == 2
    assert feed.follower.n_breaks == 1


def test_a_truncation_that_is_missing_is_found() -> None:
    feed, checksums = checked(depth=0)
    first = [("5.10", "1.500"), ("5.00", "2.000")]
    second = [("5.20", "0.100"), ("5.10", "1.500")]
    feed.seqs(summed("snapshot", first, first))
    assert feed.seqs(summed("delta", second[:1], second)) == []
    assert checksums.n_mismatched == 1


def test_more_decimals_are_learned_when_they_are_seen() -> None:
    feed, checksums = checked(depth=10)
    feed.seqs(summed("snapshot", [("5.1", "1")], [("5.1", "1")]))
    after = [("5.15", "2"), ("5.10", "1")]
    assert len(feed.seqs(summed("delta", after[:1], after))) == 1
    assert (checksums.decimals(0), checksums.n_mismatched) == ((2, 0), 0)


def test_a_message_without_a_checksum_is_counted() -> None:
    feed, checksums = checked()
    assert len(feed.seqs(book("snapshot"))) == 1
    assert (checksums.n_checked, checksums.n_unchecked) == (0, 1)


def test_an_empty_snapshot_empties_the_book() -> None:
    feed, checksums = checked()
    level = [("5.10", "1.500")]
    feed.seqs(summed("snapshot", level, level))
    assert feed.seqs(summed("snapshot", [], [])) == [None]
    assert len(feed.seqs(summed("delta", level, level))) == 1
    assert checksums.n_mismatched == 0


def test_a_symbol_that_the_source_does_not_name_has_no_book() -> None:
    feed = Chained("counted", symbols=("B",))
    assert feed.seqs(book("snapshot", u=1), book("delta", u=9)) == []
    assert feed.follower.take_news() == []
