"""A venue that was only read of is named when a feed starts."""

import pytest
from tests.venues.own import declare

from tickwire.config import Config, Feed, Source
from tickwire.feed.planning import plan_feed
from tickwire.feed.unverified import warn_unverified


@pytest.mark.parametrize(("verified", "named"), [(None, ["own"]), ("2026-08-09", []), ("", [])])
def test_a_venue_without_frames_is_named_once(verified: str | None, named: list[str]) -> None:
    source = Source(
        venue=declare(verified=verified), channels=["trades"], symbols=["A"], url="ws://127.0.0.1:1"
    )
    plan = plan_feed(Config(Feed(), (source, source), ()))
    assert warn_unverified(plan.sources) == named
