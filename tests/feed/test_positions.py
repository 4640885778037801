"""Where streams stand, kept for the next run: what cannot be read or written costs no run."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tickwire.feed import positions
from tickwire.feed.positions import Positions
from tickwire.ledger import Position

A, B = ("v", "trades", "A"), ("v", "trades", "B")


def position(recv_ns: int) -> Position:
    return Position(recv_ns, None)


async def kept(folder: Path, recv_ns: int) -> None:
    """Keep where one stream stands."""
    stands = Positions(folder, "main")
    stands.take({"trades": 1}, {A: position(recv_ns)})
    stands.commit({"trades": 1})
    await stands.close()


async def test_they_are_there_for_the_next_run(tmp_path: Path) -> None:
    await kept(tmp_path, 5)
    assert Positions(tmp_path, "main").load() == {A: position(5)}


@pytest.mark.parametrize("text", ["", "[]", '{"version": 99}', '{"version": 1}', "[" * 100_000])
def test_a_file_that_cannot_be_read_is_a_warning_and_no_gap(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.streams.json").write_text(text)
    with capture_logs() as logs:
        assert Positions(tmp_path, "main").load() == {}
    [line] = logs
    assert line["event"].startswith("positions cannot be read")


def test_without_a_folder_nothing_is_kept() -> None:
    stands = Positions(None, "main")
    assert stands.load() == {}
    assert not stands.is_due
    stands.abandon({A: position(1)}, {})
    stands._write("{}")


async def test_a_stream_is_unsettled_until_every_sink_has_the_end_of_its_gap(
    tmp_path: Path,
) -> None:
    stands = Positions(tmp_path, "main")
    stands.begin({A: position(5), B: position(6)})
    stands.take({"trades": 0, "gaps": 2}, {A: Position(5, None, 3, "down"), B: position(6)})
    stands.take({"trades": 9, "gaps": 3}, {A: position(9), B: position(8)})
    for n_gaps, recv_ns, unsettled in ((0, 5, {A, B}), (2, 5, {A}), (3, 9, set())):
        stands.commit({"trades": 9, "gaps": n_gaps})
        if stands._writing is not None:
            await asyncio.wait([stands._writing])
        found = Positions(tmp_path, "main")
        last = found.load()[A]
        assert (last.recv_ns, last.gap_id, found.unsettled) == (recv_ns, None, unsettled)
    await stands.close()


async def test_of_a_sink_that_is_slow_the_snapshots_become_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "MAX_SNAPSHOTS", 4)
    stands = Positions(tmp_path, "main")
    for number in range(1, 20):
        stands.take({"trades": number}, {A: position(number)})
    assert len(stands._snapshots) <= 4
    stands.commit({"trades": 19})
    await stands.close()
    assert Positions(tmp_path, "main").load() == {A: position(19)}


def test_what_is_abandoned_is_written_once_and_by_none_after(tmp_path: Path) -> None:
    stands = Positions(tmp_path, "main")
    stands.abandon({A: position(7), B: position(8)}, {B: position(3)})
    asyncio.run(stands.close())  # the process ends: what is committed now may not be
    found = Positions(tmp_path, "main").load()
    assert (found[A].recv_ns, found[B].recv_ns) == (7, 3)


async def test_a_file_that_cannot_be_written_is_an_error_once(tmp_path: Path) -> None:
    stands = Positions(tmp_path / "nothing", "main")
    with capture_logs() as logs:
        for number in (1, 2):
            stands.take({"trades": number}, {A: position(number)})
            stands.commit({"trades": number})
            await asyncio.wait([stands._writing])  # type: ignore[list-item] # it has begun
        (tmp_path / "nothing").mkdir()
        await stands.close()
    failed = [line for line in logs if line["event"] == "positions cannot be written"]
    assert len(failed) == 1
    stored = json.loads((tmp_path / "nothing" / "main.streams.json").read_text())
    assert stored["streams"][0][:4] == [*A, 2]


async def test_a_loss_of_power_does_not_bring_last_ids_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands = Positions(tmp_path, "main")
    stands.take({"trades": 1}, {A: Position(5, None, ids=(("trades", 7),))})
    stands.commit({"trades": 1})
    await stands.close()
    sync, synced = os.fsync, []

    def recorded(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, "" if path.is_dir() else path.read_text()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    assert Positions(tmp_path, "main").load()[A].ids == (("trades", 7),)
    (fresh, text), (folder, _) = synced
    assert fresh.name == "main.streams.json.new"
    assert json.loads(text)["streams"] == [[*A, 5, None, None, None]]
    assert folder == tmp_path
    assert Positions(tmp_path, "main").load()[A].ids == ()
    assert len(synced) == 2  # the second time there were none
