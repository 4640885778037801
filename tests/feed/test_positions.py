"""Where streams stand, kept for the next run: what cannot be read or written costs no run."""

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tickwire.feed.kept import positions
from tickwire.feed.kept.positions import Positions
from tickwire.ledger import Gap, Place, Position

A, B = ("v", "trades", "A"), ("v", "trades", "B")


def position(recv_ns: int) -> Position:
    return Position(recv_ns, None)


async def written(stands: Positions) -> None:
    """Wait until what was given is in the file."""
    if stands._writing is not None:
        await asyncio.wait([stands._writing])


def _loaded(folder: Path) -> Positions:
    found = Positions(folder, "main")
    found.load()
    return found


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
        await written(stands)
        found = Positions(tmp_path, "main")
        last = found.load()[A]
        assert (last.recv_ns, last.gap_id) == (recv_ns, None)
        assert found.unsettled == unsettled
    await stands.close()


async def test_a_stream_that_has_nothing_yet_is_missing_since_the_start(tmp_path: Path) -> None:
    stands = Positions(tmp_path, "main")
    stands.begin({A: position(5)}, [A, B])
    for n_rows in (0, 1):
        stands.take({"trades": n_rows}, {A: position(5 + n_rows)})
        stands.commit({"trades": n_rows})
        await written(stands)
        found = Positions(tmp_path, "main").load()
        assert (found[A].recv_ns, found[B]) == (5 + n_rows, stands._began)


async def test_a_gap_between_two_snapshots_is_written_until_every_sink_has_it(
    tmp_path: Path,
) -> None:
    stands = Positions(tmp_path, "main")
    stands.take({"gaps": 0}, {A: position(5)})
    stands.commit({"gaps": 0})
    assert not stands.is_due
    gap = Gap(3, "trades", "disconnect", Place("v", "A", 1), 5)
    stands.note_gap(gap)
    assert stands.is_due
    gap.end_ns = 8
    stands.note_gap(gap)
    stands.take({"gaps": 2}, {A: position(9)})
    for n_gaps, recv_ns, unsettled, gaps in ((1, 5, {A}, [gap]), (2, 9, set(), [])):
        stands.commit({"gaps": n_gaps})
        await written(stands)
        found = Positions(tmp_path, "main")
        assert found.load()[A].recv_ns == recv_ns
        assert found.unsettled == unsettled
        assert found.take_gaps() == gaps
    await stands.close()


async def test_of_many_gaps_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "MAX_GAPS", 2)
    stands = Positions(tmp_path, "main")
    stands.take({"gaps": 0}, {A: position(5)})
    for number in range(4):
        stands.note_gap(Gap(number, "trades", "stale", Place("v", "A", 1), 5, end_ns=6))
    stands.commit({"gaps": -1})
    await written(stands)
    assert [gap.gap_id for gap in _loaded(tmp_path).take_gaps()] == [2, 3]


async def test_without_the_gap_of_a_table_all_of_its_streams_are_unsettled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "MAX_GAPS", 1)
    other = ("v", "quotes", "A")
    stands = Positions(tmp_path, "main")
    stands.begin({}, [A, B, other])
    for number in range(2):
        stands.note_gap(Gap(number, "trades", "overflow", Place(), 5, end_ns=6, consumer="slow"))
    for n_gaps, unsettled in ((0, {A, B}), (2, set())):
        stands.take({"gaps": 2}, dict.fromkeys((A, B, other), position(9)))
        stands.commit({"gaps": n_gaps})
        await written(stands)
        assert _loaded(tmp_path).unsettled == unsettled
    await stands.close()


async def test_what_is_new_while_the_file_is_written_is_written_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands, begins, goes_on = Positions(tmp_path, "main"), threading.Event(), threading.Event()
    write = stands._write

    def slow(text: str) -> None:
        begins.set()
        goes_on.wait(10)
        write(text)

    monkeypatch.setattr(stands, "_write", slow)
    for number in (1, 2):
        stands.take({"trades": number}, {A: position(number)})
        stands.commit({"trades": number})
        await asyncio.to_thread(begins.wait, 10)
    goes_on.set()
    await written(stands)
    assert _loaded(tmp_path)._committed == {A: position(2)}


@pytest.mark.parametrize("how", ["before the end", "at the end", "abandoned"])
async def test_a_disk_that_hangs_keeps_no_end(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands, goes_on = Positions(tmp_path, "main"), threading.Event()
    write = stands._write

    def hangs(text: str, **how: bool) -> None:
        goes_on.wait(30)
        write(text, **how)

    for name in ("CLOSE_S", "ABANDON_S"):
        monkeypatch.setattr(positions, name, 0.1)
    monkeypatch.setattr(stands, "_write", hangs)
    stands.take({"trades": 1}, {A: position(1)})
    if how == "before the end":
        stands.commit({"trades": 1})
    with capture_logs() as logs:
        async with asyncio.timeout(20):
            if how == "abandoned":
                stands.abandon({A: position(1)}, {})
            else:
                await stands.close()
    assert [line["event"] for line in logs] == ["positions are not written: their disk hangs"]
    goes_on.set()


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
            await written(stands)
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
