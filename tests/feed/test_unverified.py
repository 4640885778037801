"""A venue that was only read of is named when a feed starts."""

import pytest
from structlog.testing import capture_logs
from tests.venues.own import declare

from tickwire.cli.check import plan_lines
from tickwire.config import Config, Feed, Source
from tickwire.errors import PlanError
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.unverified import warn_unverified


@pytest.mark.parametrize(("verified", "named"), [(None, ["own"]), ("2026-08-09", []), ("", [])])
def test_a_venue_without_frames_is_named_once(verified: str | None, named: list[str]) -> None:
    source = Source(
        venue=declare(verified=verified), channels=["trades"], symbols=["A"], url="ws://127.0.0.1:1"
    )
    plan = plan_feed(Config(Feed(), (source, source), ()))
    assert warn_unverified(plan.sources) == named


@pytest.mark.parametrize(
    ("channels", "named"),
    [
        (["book"], []),
        (["trades", "book", "candles:1m"], ["kraken: trades, candles:1m"]),
    ],
)
def test_a_channel_without_frames_is_named_where_it_is_asked_for(
    channels: list[str], named: list[str]
) -> None:
    source = Source(venue="kraken", channels=channels, symbols=["BTC/USD"], url="ws://127.0.0.1:1")
    plan = plan_feed(Config(Feed(), (source,), ()))
    with capture_logs() as logs:
        assert warn_unverified(plan.sources) == named
    assert [line["event"] for line in logs] == ["channels not verified"] * len(named)
    shown = plan_lines(plan)[1]
    assert ("without trades, candles:1m" in shown) == bool(named)


@pytest.mark.parametrize(
    ("verified", "unverified", "wrong"),
    [
        ("2026-08-09", ("quote",), "unverified: 'quote' is none of the channels"),
        (None, ("trades",), "unverified: names what a date in verified does not stand for"),
    ],
)
def test_what_is_unverified_must_be_a_channel_of_a_verified_venue(
    verified: str | None, unverified: tuple[str, ...], wrong: str
) -> None:
    with pytest.raises(PlanError, match=wrong):
        declare(verified=verified, unverified=unverified)
