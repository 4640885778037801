"""Looking at a reader's books: figures, states, levels without a copy."""

import numpy as np
import pytest
from tests.book.rig import Rig, random_messages


def test_figures_are_sums_over_all_books() -> None:
    rig = Rig(keeps=10)
    for message in random_messages(3, 400):
        rig.publish(message)
        assert rig.reader.read()
        rig.rows_of_top()
    slow = rig.slow.values()
    assert rig.reader.n_orphans == sum(each.n_orphans for each in slow) > 0
    assert rig.reader.n_crossed == sum(each.n_crossed for each in slow) > 0
    assert rig.reader.n_truncated == sum(each.n_truncated for each in slow) > 0
    assert (rig.reader.count("live"), rig.reader.count("broken")) == (3, 0)
    rig.reader.break_book(rig.number("A"), 10**6)
    assert (rig.reader.count("live"), rig.reader.count("broken")) == (2, 1)
    channels = rig.dictionaries.of("channel")
    assert channels.value(rig.reader.channel(rig.number("A"))) == "book"
    with pytest.raises(ValueError, match="tuple"):
        rig.reader.count("lively")


def test_what_is_not_there_is_said() -> None:
    rig = Rig()
    assert rig.reader.read()
    assert (rig.number(), len(rig.reader)) == (-1, 0)
    for look in (rig.reader.describe, rig.reader.state, rig.reader.channel, rig.reader.levels):
        with pytest.raises(IndexError, match="no book 0"):
            look(0)


def test_levels_are_shown_best_first_and_stay_when_the_book_goes_on() -> None:
    rig = Rig()
    rig.publish(("S", [("bid", 1.0, 2.0), ("bid", 1.5, 1.0), ("ask", 2.0, 3.0)], True))
    rig.reader.read()
    bids, asks = rig.reader.levels(rig.number())
    assert bids.tolist() == [(1.5, 1.0), (1.0, 2.0)]
    assert asks.tolist() == [(2.0, 3.0)]
    assert not bids.flags.writeable
    assert np.shares_memory(bids, rig.reader.levels(rig.number(), 1)[0])
    assert [len(side) for side in rig.reader.levels(rig.number(), 1)] == [1, 1]
    figures = rig.reader.describe(rig.number())
    assert (figures["state"], figures["n_bids"], figures["n_asks"]) == ("live", 2, 1)
    assert figures["conn"] == 1
