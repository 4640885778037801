"""Endpoints that can be read on their way are named, once each and without what is secret."""

from __future__ import annotations

from structlog.testing import capture_logs

from tickwire import Source
from tickwire.config import Config, Feed
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.unencrypted import warn_unencrypted


def test_what_is_not_encrypted_is_named_once() -> None:
    source = Source(
        venue="hyperliquid", channels=["trades"], symbols=["BTC"], headers={"X-Key": "secret"}
    )
    [plan] = plan_feed(Config(Feed(), (source,), (), "feeds.toml")).sources
    urls = [
        "wss://a.example/ws",
        "ws://b.example/ws?token=secret",
        "ws://b.example/ws?token=secret",
        "http://c.example",
        "https://d.example",
        "ws://localhost:9001",
        "http://127.0.0.1:9002",
        "ws://[::1]:9003",
    ]
    with capture_logs() as logs:
        warn_unencrypted(plan, urls)
    assert [line["event"] for line in logs] == ["NOT ENCRYPTED"] * 2
    assert [line["url"].partition("?")[0] for line in logs] == [
        "ws://b.example/ws",
        "http://c.example",
    ]
    assert {(line["venue"], line["headers"]) for line in logs} == {("hyperliquid", 1)}
    assert "secret" not in str(logs)
