"""The pipeline of a feed: what its sources share."""

from __future__ import annotations

from tickwire.config import Config, Feed, Source
from tickwire.feed.pipeline import GAP_ID, Pipeline
from tickwire.feed.plan.planning import plan_feed


def test_sources_that_are_alike_share_a_program_and_no_others() -> None:
    sources = (
        Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"]),
        Source(venue="hyperliquid", channels=["trades"], symbols=["ETH"]),
        Source(venue="hyperliquid", channels=["trades"], symbols=["SOL"], extras=True),
        Source(venue="hyperliquid", channels=["trades", "quotes"], symbols=["XRP"]),
        Source(venue="binance", channels=["trades"], symbols=["BTCUSDT"]),
    )
    plan = plan_feed(Config(Feed(ring_rows=16_384), sources))
    pipeline = Pipeline(plan, dict.fromkeys((*plan.tables, GAP_ID), 0))
    first, alike, *others = (each.decoder.program for each in pipeline.sources)
    assert alike is first
    assert len({id(each) for each in (first, *others)}) == 4
