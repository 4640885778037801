"""A stop has deadlines: what hangs keeps nothing else from its end, and is a number."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import TickwireError
from tickwire.feed import running

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_a_connection_that_does_not_end_is_left_at_its_deadline(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await running.asyncio.Event().wait()

    monkeypatch.setattr(running.LiveSource, "_release_held", never)
    monkeypatch.setattr(running, "INTAKE_S", 0.2)

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)], [tickwire.ParquetSink(path=tmp_path, tables=["trades"])]
            )
            async with feed:
                await until(lambda: feed.summary()["rows"]["trades"] == 5)
                assert feed.uncommitted() == {"parquet": {"trades": 5}}
            assert feed.uncommitted() == {}
            assert feed.summary()["rows_committed"]["parquet"]["trades"] == 5
            with pytest.raises(TickwireError, match="not stopped in time: 0 hyperliquid"):
                feed.raise_failure()

    run(main())
