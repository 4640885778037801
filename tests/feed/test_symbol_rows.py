"""Rows by symbol in the metrics, where a source names few; and commits by sink."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.feed.books import symbol_rows

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.mark.parametrize("most", [1, 2])
def test_a_source_of_few_symbols_has_rows_by_symbol(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(symbol_rows, "MOST_SYMBOLS", most)

    async def main() -> None:
        with exchange([trades(0, 50)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url, symbols=["BTC", "ETH"])],
                [
                    tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"], flush_ms=1),
                    tickwire.ParquetSink(path=tmp_path / "data", tables=["trades"]),
                ],
            )
            async with feed:
                await until(lambda: feed.summary()["rows"]["trades"] == 50)
                pipeline = feed.pipeline
                assert pipeline is not None
                registry = pipeline.registry
                rows = {"trades": {"BTC": 50, "ETH": 0}} if most == 2 else {}
                await until(lambda: registry.by("symbol_rows", "table", "symbol") == rows)
                assert {key[:2] for key, _ in registry.figures("symbol_rows")} <= {
                    ("0", "hyperliquid")
                }
                await until(lambda: registry.by("sink_commits", "sink")["ipc"] > 0)
                assert registry.by("sink_commits", "sink")["parquet"] == 0
            assert registry.by("sink_commits", "sink")["parquet"] == 1

    run(main())
