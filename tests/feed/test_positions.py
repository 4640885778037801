"""Up to where streams are known, over restarts: the last ids of trades count once, if at all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tickwire.feed.positions import Positions
from tickwire.ledger import Position

NAME = ("v", "trades", "A")
IDS = (("trades", 7), ("trades:agg", 3))
LAST = {NAME: Position(10, 9, ids=IDS)}


def stop(folder: Path, committed: int) -> None:
    """End a run that has published five rows, of which sinks have committed some."""

    async def run() -> None:
        positions = Positions(folder, "main")
        positions.load()
        positions.take({"trades": 5}, LAST)
        positions.commit({"trades": committed})
        await positions.close()

    asyncio.run(run())


def test_after_a_clean_stop_the_next_run_has_the_last_ids_and_no_other(tmp_path: Path) -> None:
    stop(tmp_path, 5)
    assert Positions(tmp_path, "main").load() == LAST
    # They are gone from the file before a row of this run can be committed: a kill leaves none.
    assert Positions(tmp_path, "main").load() == {NAME: Position(10, 9)}


def test_where_a_sink_has_not_got_everything_there_are_no_ids(tmp_path: Path) -> None:
    stop(tmp_path, 4)
    assert not any(each.ids for each in Positions(tmp_path, "main").load().values())


def test_what_is_written_while_a_feed_runs_has_no_ids(tmp_path: Path) -> None:
    async def run() -> None:
        positions = Positions(tmp_path, "main")
        positions.take({"trades": 5}, LAST)
        positions.commit({"trades": 5})
        assert positions._writing is not None
        await positions._writing

    asyncio.run(run())
    assert Positions(tmp_path, "main").load() == {NAME: Position(10, 9)}


def test_ids_that_cannot_be_taken_out_of_the_file_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(tmp_path, 5)

    def fail(self: Path, target: Path) -> Path:
        raise OSError("read only")

    monkeypatch.setattr(Path, "replace", fail)
    assert Positions(tmp_path, "main").load() == {NAME: Position(10, 9)}


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    stored = {"version": 1, "streams": [[*NAME, 10, 9, None, None]], "gaps": []}
    (tmp_path / "main.streams.json").write_text(json.dumps(stored))
    assert Positions(tmp_path, "main").load() == {NAME: Position(10, 9)}
