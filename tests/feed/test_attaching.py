"""Finding the rings of a feed, and following one that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.feed.test_handler import source, until

import tickwire
from tickwire.errors import ConfigError, TickwireError
from tickwire.feed import attaching
from tickwire.feed.attaching import find_rings
from tickwire.ring import RingFiles
from tickwire.sim import Simulator

Run = Callable[[Coroutine[Any, Any, None]], None]


def write(path: Path, feed: str) -> Path:
    path.write_text(
        f'[feed]\n{feed}\n[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\n'
        'symbols = ["BTC"]\n'
    )
    return path


def test_a_feed_is_followed_to_its_end(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / ".tickwire"
    monkeypatch.setattr(attaching, "STATE_DIR", state)
    config = write(tmp_path / "feed.toml", f'state_dir = "{state}"')

    async def main() -> None:
        async with Simulator(rate=2000) as sim:
            feed = tickwire.FeedHandler(
                [source(sim.ws_url)], state_dir=state, ring_dir=tmp_path / "rings"
            )
            async with feed:
                ring = tickwire.attach(config, "trades")
                assert find_rings("main") == find_rings(tmp_path / "rings")
                await until(lambda: ring.available > 100)
                first = ring.take()
                assert first is not None
            rest = [len(batch) for batch in ring]
            n_rows = feed.summary()["rows"]["trades"]
        assert ring.was_stopped
        assert ring.rows == len(first) + sum(rest)
        assert ring.missed == 0
        assert ring.next_seq == n_rows
        with pytest.raises(TickwireError, match="no running feed"):
            await asyncio.to_thread(tickwire.attach, config, "trades")

    run(main())


def test_a_feed_without_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attaching, "STATE_DIR", tmp_path)
    with pytest.raises(TickwireError, match="no feed 'main' runs"):
        find_rings("main")
    path = tmp_path / "main.json"
    path.write_text(json.dumps({"rings": ""}))
    with pytest.raises(TickwireError, match="its rings are not in files; give it"):
        find_rings("main")
    path.write_text("[")
    with pytest.raises(TickwireError, match="state cannot be read"):
        find_rings("main")
    with pytest.raises(TickwireError, match="has no state_dir"):
        find_rings(write(tmp_path / "feed.toml", 'state_dir = ""'))
    with pytest.raises(ConfigError):
        find_rings(write(tmp_path / "feed.toml", "ring_rows = ["))


def test_a_folder_with_two_feeds_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(TickwireError, match="holds no rings"):
        find_rings(tmp_path)
    made = [RingFiles(tmp_path / name) for name in ("one", "two")]
    for each in made:
        each.make({})
    with pytest.raises(TickwireError, match="rings of several feeds: one, two"):
        find_rings(tmp_path)
    assert find_rings(tmp_path / "two") == made[1].folder
    assert find_rings(made[0].folder) == made[0].folder
