"""Where a source connects to, and what a configured URL replaces of it."""

from dataclasses import replace
from typing import Any

import pytest

from tickwire.config import Config, Feed, Source
from tickwire.errors import ConfigError
from tickwire.feed.plan.endpoints import request_url
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.plans import SourcePlan
from tickwire.venues import load


def planned(venue: Any, url: Any, **keys: Any) -> SourcePlan:
    source = Source(venue=venue, channels=["trades", "tickers"], symbols=["BTC"], url=url, **keys)
    return plan_feed(Config(Feed(), (source,), (), "feeds.toml")).sources[0]


def urls(venue: Any, url: Any) -> list[str]:
    return [connection.url for connection in planned(venue, url).connections]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("ws://h:1", "ws://h:1/ws"),
        ("ws://h:1/", "ws://h:1/ws"),
        ("ws://h:1/0123456789abcdef/ws", "ws://h:1/0123456789abcdef/ws"),
        ("ws://h:1/hl/ws?token=t", "ws://h:1/hl/ws?token=t"),
        ("ws://h:1/?token=t", "ws://h:1/?token=t"),
        ("ws://h:1?token=t", "ws://h:1/ws?token=t"),
        ({"main": "wss://h?token=t"}, "wss://h/ws?token=t"),
        ({"main": "wss://h"}, "wss://h/ws"),
        ({"main": "wss://h/prefix/ws"}, "wss://h/prefix/ws"),
    ],
)
def test_a_path_or_a_query_replaces_the_endpoint_s(given: Any, asked: str) -> None:
    assert urls("hyperliquid", given) == [asked]


def test_each_endpoint_of_a_table_has_its_own() -> None:
    given = {"public": "ws://a/stream?x=1", "market": "ws://b"}
    assert urls("binance-usdm", given) == ["ws://a/stream?x=1", "ws://b/market/stream"]
    assert urls("binance-usdm", {"market": "ws://b"}) == [
        "wss://fstream.binance.com/public/stream",
        "ws://b/market/stream",
    ]
    assert urls("binance-usdm", "ws://h") == ["ws://h/public/stream", "ws://h/market/stream"]


def test_a_query_replaces_the_endpoint_s_own_query_and_leaves_its_path() -> None:
    own = replace(load("hyperliquid"), endpoints={"main": "wss://h/ws?a=1&b=2"})
    assert urls(own, "ws://i?c=3") == ["ws://i/ws?c=3"]
    assert urls(own, "ws://i") == ["ws://i/ws?a=1&b=2"]
    assert urls(own, "ws://i/other") == ["ws://i/other"]


def test_several_are_tried_in_their_order() -> None:
    plan = planned("hyperliquid", None, urls=["ws://a", "wss://b/own/ws?x=1"])
    assert plan.connections[0].urls == ("ws://a/ws", "wss://b/own/ws?x=1")
    plan = planned("binance-usdm", None, urls=["ws://a", "ws://b"])
    assert [connection.urls for connection in plan.connections] == [
        ("ws://a/public/stream", "ws://b/public/stream"),
        ("ws://a/market/stream", "ws://b/market/stream"),
    ]
    assert "?x=1" not in repr(plan.settings)


def test_mistakes_in_several_name_which_one() -> None:
    with pytest.raises(ConfigError, match=r"urls\[1\]: has a path or a query"):
        planned("binance-usdm", None, urls=["ws://a", "ws://b/stream"])
    with pytest.raises(ConfigError, match="urls: is given beside url"):
        planned("hyperliquid", "ws://a", urls=["ws://b"])
    for wrong in ([], "ws://a", ["http://a"], [1]):
        with pytest.raises(ConfigError, match="urls"):
            planned("hyperliquid", None, urls=wrong)


@pytest.mark.parametrize(
    ("venue", "given", "problem"),
    [
        (
            "binance-usdm",
            "ws://h/stream",
            "url: has a path or a query, and binance-usdm has several endpoints, should be a "
            "table: url.public and url.market",
        ),
        (
            "binance-usdm",
            {"main": "ws://h"},
            "url.main: binance-usdm has no such endpoint, one of public, market",
        ),
        (
            "binance-usdm",
            "ws://h?token=t",
            "url: has a path or a query, and binance-usdm has several endpoints, should be a "
            "table: url.public and url.market",
        ),
    ],
)
def test_what_cannot_be_used_as_given_is_an_error(venue: str, given: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(venue, given)
    assert caught.value.problems == [f"feeds.toml: source[0].{problem}"]


def test_a_rest_url_s_path_goes_before_and_its_query_behind() -> None:
    asked = "/api/v3/depth?symbol=BTCUSDT&limit=5000"
    assert request_url("https://h", asked) == f"https://h{asked}"
    assert request_url("https://h/", asked) == f"https://h{asked}"
    assert request_url("https://h/gate/", asked) == f"https://h/gate{asked}"
    assert request_url("https://h/gate?key=k", asked) == f"https://h/gate{asked}&key=k"
    assert request_url("https://h?key=k", "/depth") == "https://h/depth?key=k"
    plan = planned("binance", None, rest_url="https://h/gate?key=k")
    assert plan.rest_url == "https://h/gate?key=k"
    assert planned("binance", None).rest_url == "https://api.binance.com"
