"""Messages that are not what they were when their venue was verified: counted, logged once."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.test_handler import until
from typer.testing import CliRunner

import tickwire
from tickwire.capture import Capture
from tickwire.cli.app import app
from tickwire.feed.streams.drift import Drift, drifts_of, fields_of, known_fields
from tickwire.observe import Registry
from tickwire.sim import Simulator
from tickwire.venues import Venue, load

Run = Callable[[Coroutine[Any, Any, None]], None]


def found(fields: tuple[str, ...], document: Any, members: tuple[str, ...] = ()) -> list[Any]:
    return drifts_of(known_fields(fields), members, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "drifts"),
    [
        ({"s": "A", "data": [{"p": 1}]}, []),
        ({"s": "A", "data": [{"p": 1, "q": 2}, {"p": 1}]}, []),
        ({"s": "A", "data": []}, []),
        ({"s": "A", "data": [{"p": 1, "x": {"y": 1}}]}, [("new_field", "data[].x")]),
        ({"data": [{"p": 1}]}, [("missing_field", "s")]),
        ({"s": "A", "data": [{"p": 1}, {}]}, [("missing_field", "data[].p")]),
        ({"s": "A"}, [("missing_field", "data")]),
    ],
)
def test_what_is_new_and_what_is_missing(document: Any, drifts: list[Any]) -> None:
    assert found(("s", "data[].p", "data[].q?"), document) == drifts


def test_objects_by_symbol_have_no_fields() -> None:
    assert found(("mids{}.p",), {"mids": {"A": {"p": 1}, "B": {"p": 1}}}, ("mids",)) == []
    drifts = found(("mids{}.p",), {"mids": {"A": {"q": 1}}}, ("mids",))
    assert drifts == [("new_field", "mids{}.q"), ("missing_field", "mids{}.p")]


def test_text_that_is_no_json_does_not_drift() -> None:
    assert drifts_of({"a": True}, (), b"pong") == []


def drifting(**fields: tuple[str, ...]) -> tuple[Drift, Registry]:
    venue = replace(load("coinbase"), fields=fields)
    registry = Registry()
    return Drift(venue, registry.labelled(source="0", venue="coinbase")), registry


def test_a_drift_is_counted_each_time_and_logged_once() -> None:
    drift, registry = drifting(ticker=("a", "b"))
    with capture_logs() as logs:
        for _ in range(3):
            drift.look("ticker", b'{"a":1,"b":2,"c":3}')
            drift.look("ticker", b'{"a":1}')
            drift.look("ticker", b'{"a":1,"b":2}')
            drift.look("l2_data", b'{"z":1}')  # of which nothing is declared
    assert [(log["drift"], log["what"], log["verified"]) for log in logs] == [
        ("new_field", "c", "2026-08-09"), ("missing_field", "b", "2026-08-09"),
    ]  # fmt: skip
    assert registry.by("drifted_messages", "message") == {"ticker": 6}


def test_unknown_kinds_are_told_apart_and_their_number_is_bounded() -> None:
    drift, registry = drifting()
    with capture_logs() as logs:
        for number in range(100):
            drift.look(None, json.dumps({"channel": f"new{number % 50}"}).encode())
    assert logs[0]["what"] == "channel=new0"
    assert len(logs) == 32
    assert registry.by("drifted_messages", "message") == {"(unknown)": 100}


def test_what_a_capture_has_is_what_a_declaration_names(tmp_path: Path) -> None:
    sent = [
        {"channel": "ticker", "events": [{"type": "update", "tickers": [each]}]}
        for each in ({"price": "1", "product_id": "A"}, {"price": "1", "product_id": "A", "x": 1})
    ]
    path = tmp_path / "sent.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in sent))
    (names,) = fields_of(load("coinbase"), [Capture.open(path)]).values()
    assert names == (
        "channel", "events[].tickers[].price", "events[].tickers[].product_id",
        "events[].tickers[].x?", "events[].type",
    )  # fmt: skip
    document = {"channel": "ticker", "events": [{"type": "update", "tickers": [{"price": "1"}]}]}
    assert found(names, document) == [("missing_field", "events[].tickers[].product_id")]


def test_the_command_prints_fields(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    frame = {"channel": "heartbeat"}, {"channel": "book", "type": "update", "data": []}
    path.write_text("".join(json.dumps(each) + "\n" for each in frame))
    result = CliRunner().invoke(app, ["venue", "fields", "kraken", str(path)])
    assert result.exit_code == 0, result.output
    assert '"book": (' in result.output
    assert '"data",' in result.output


def test_a_test_of_a_venue_shows_drifts(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    data = {"symbol": "A", "bids": [], "asks": [], "checksum": 1, "more": 2}
    path.write_text(json.dumps({"channel": "book", "type": "update", "data": [data]}) + "\n")
    command = ["venue", "test", "kraken", str(path), "--passes", "0"]
    result = CliRunner().invoke(app, command)
    assert "drift since 2026-08-16: book: new_field data[].more (1 messages)" in result.output
    assert "drift since 2026-08-16: book: missing_field data[].timestamp" in result.output
    drifts = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)["drifts"]
    assert drifts == {"book": {"new_field data[].more": 1, "missing_field data[].timestamp": 1}}


def declared(venue: Venue, missing: str) -> Venue:
    """Give a venue whose declaration lacks a field that its simulator sends."""
    fields = {
        name: tuple(each for each in paths if not each.endswith(missing))
        for name, paths in venue.fields.items()
    }
    return replace(venue, fields=fields)


@pytest.mark.parametrize("name", ["bybit", "coinbase", "kraken"])
def test_a_feed_counts_what_its_venue_has_changed(run: Run, name: str) -> None:
    """Also where every message has it from the first on, so that it is learned as it is."""
    last = {"bybit": ".seq", "coinbase": "new_quantity", "kraken": "checksum"}[name]

    async def scene(venue: Venue) -> dict[str, Any]:
        async with Simulator(name, rate=500) as sim:
            source = tickwire.Source(
                venue=venue, channels=["book"], symbols=[*sim.market.symbols], url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            async with tickwire.FeedHandler(source, state_dir=None) as feed:
                await until(lambda: feed.summary()["rows"]["book"] > 500)
                summary = feed.summary()
        drifted: dict[str, Any] = summary["drifted_messages"]
        return drifted

    async def both() -> None:
        assert await scene(load(name)) == {}
        drifted = await scene(declared(load(name), last))
        assert len(drifted) == 1
        assert min(drifted.values()) >= 1

    run(both())
