"""What a running feed does about failures, by a table that the user extends."""

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange, hyperliquid_refusal
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import EmergencyShutdown, RequestRefused

Run = Callable[[Coroutine[Any, Any, None]], None]

UNREADABLE = b'{"channel":"trades","data":[{"coin":"BTC"}]}'


def severities(feed: tickwire.FeedHandler) -> dict[str, dict[str, int]]:
    return {str(where): found for where, found in feed.summary()["errors"].items()}


def test_what_cannot_be_decoded_is_low_and_counted(run: Run) -> None:
    async def main() -> None:
        with exchange([[*trades(0, 5), UNREADABLE, UNREADABLE]]) as server:
            with capture_logs() as logs:
                async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                    await until(lambda: severities(feed).get("decode", {}).get("low") == 2)
            assert [line["severity"] for line in logs if line["event"] == "not decoded"] == ["low"]

    run(main())


def test_a_line_of_toml_makes_it_an_emergency(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([[*trades(0, 5), UNREADABLE]]) as server:
            path = tmp_path / "feed.toml"
            path.write_text(
                f"""
                [[source]]
                venue = "hyperliquid"
                channels = ["trades"]
                symbols = ["BTC", "ETH"]
                url = {json.dumps(server.ws_url)}
                [[sink]]
                type = "ipc"
                path = "rows"
                [[severity]]
                error = "tickwire.errors:DecodeError"
                context = "decode"
                severity = "critical"
                """
            )
            feed = tickwire.FeedHandler.from_toml(path)
            with pytest.raises(EmergencyShutdown) as ended:
                await feed.run()
        assert str(ended.value).startswith("emergency shutdown: decode 0 hyperliquid: messages of")
        assert severities(feed)["decode"] == {"critical": 1}
        assert feed.summary()["rows_committed"]["ipc"]["trades"] == 5

    run(main())


def test_what_ends_a_feed_can_be_an_emergency_instead(run: Run) -> None:
    async def main(severity: tickwire.SeveritySettings | None, error: type[Exception]) -> None:
        with exchange([[]], hyperliquid_refusal) as server:
            rules = [] if severity is None else [severity]
            feed = tickwire.FeedHandler([source(server.ws_url)], severities=rules)
            with pytest.raises(error, match="every subscription was refused"):
                await feed.run()
        assert "stop" not in severities(feed)

    run(main(None, RequestRefused))
    rule = tickwire.SeveritySettings(error=RequestRefused, context="feed", severity="critical")
    run(main(rule, EmergencyShutdown))


def test_a_sink_that_fails_degrades_and_its_severity_is_logged(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            folder = tmp_path / "rows"
            sink = tickwire.IpcSink(path=folder)
            feed = tickwire.FeedHandler([source(server.ws_url)], [sink])
            with capture_logs() as logs:
                async with feed:
                    await until(lambda: feed.summary()["rows"]["trades"] == 5)
                    assert feed._feed is not None
                    error = OSError(5, "Input/output error")
                    feed._feed.sinks[0]._attempts.failed(error)
                    shown = feed._feed.failures.troubles()
            assert [(each.part, each.text) for each in shown] == [("ipc", str(error))]
            [line] = [line for line in logs if line["event"].startswith("a sink fails")]
            assert (line["severity"], line["log_level"]) == ("high", "error")

    run(main())


def test_a_callback_that_fails_is_medium(run: Run) -> None:
    async def main() -> None:
        with exchange([trades(0, 5), trades(5, 9)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])

            @feed.on_reconnect
            async def broken(_: tickwire.ReconnectEvent) -> None:
                raise ValueError("mine")

            async with feed:
                await until(lambda: "hook" in severities(feed))
            assert severities(feed)["hook"] == {"medium": 1}
            assert severities(feed)["session"] == {"medium": 1}

    run(main())
