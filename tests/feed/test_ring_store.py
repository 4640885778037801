"""What the rings of an earlier run have left: it goes to every sink, once, or is set aside."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.feed.runs import ROWS, TRADES, Run, killed, killed_with_spill

import tickwire
from tickwire.errors import ConfigError, TickwireError
from tickwire.feed.kept.committed import Committed
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.state import State
from tickwire.ledger import Position
from tickwire.ledger.index import StreamName
from tickwire.ring import Damaged, OldRing, aside_of
from tickwire.ring.cells import columns_of
from tickwire.schema import Table
from tickwire.store import Spill


def test_each_sink_gets_the_rows_behind_those_it_has_spilled(tmp_path: Path) -> None:
    killed_with_spill(tmp_path, "two")

    again = Run(tmp_path)
    assert again.recovered("one") == list(range(9))
    assert again.recovered("two") == list(range(9))
    assert again.ring.next_seq == 9
    assert again.store.newest["hyperliquid", "trades", "BTC"].event_ns is None
    again.store.discard()
    again.kill()

    third = Run(tmp_path)
    assert third.ring.next_seq == 9
    assert third.store.newest == {}


def test_a_start_that_was_cut_short_gives_each_row_once(tmp_path: Path) -> None:
    killed(tmp_path)
    again = Run(tmp_path)
    assert again.recovered() == list(range(7))
    again.append(2)
    again.kill()  # before the files of the first were removed

    third = Run(tmp_path)
    assert third.ring.next_seq == 9
    assert third.recovered() == list(range(9))


@pytest.mark.parametrize("has_made", [False, True])
def test_a_kill_while_files_are_made_skips_no_number(tmp_path: Path, has_made: bool) -> None:
    killed(tmp_path)
    store = RingStore(tmp_path / "rings", "main", {"trades": (TRADES, ROWS)})
    state = State(tmp_path / "state", "main")
    store.read(state.rings)

    def make(first: Mapping[str, int]) -> None:
        if has_made:
            store.make(first)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        state.open_tables(["trades"], store.next_seqs, store.files.name, store.least_seqs, make)
    state.abandon()

    third = Run(tmp_path)
    assert third.recovered() == list(range(7))
    assert third.ring.next_seq == 7


def test_rings_that_are_not_the_last_runs_say_nothing_of_the_next_seq(tmp_path: Path) -> None:
    killed(tmp_path)
    with State(tmp_path / "state", "main") as state:  # a run without rings in files
        state.open_tables(["trades"])
    again = Run(tmp_path)
    assert again.ring.next_seq > 7
    assert again.recovered() == list(range(7))


def test_what_is_damaged_is_set_aside_and_named(tmp_path: Path) -> None:
    run = killed(tmp_path)
    path = run.store.files.folder / "trades.ring"
    with path.open("r+b") as file:
        file.write(b"x")
    with capture_logs() as logs:
        again = Run(tmp_path)
        assert again.recovered() == []
    kept = tmp_path / "rings" / "main" / "00000001.damaged" / "trades.ring"
    (line,) = logs
    assert (line["file"], line["kept"], line["log_level"]) == (str(path), str(kept), "error")
    assert kept.exists()
    assert again.ring.next_seq > 7
    again.store.discard()
    assert not run.store.files.folder.exists()
    assert kept.exists()


def test_rows_that_have_changed_are_lost_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.ring.sums.SHORT_ROWS", 0)
    run = Run(tmp_path)
    for _ in range(4):
        run.append(10)
        run.consumer.take()
    path = run.store.files.folder / "trades.ring"
    origin, columns = columns_of(path)
    prices = columns["price"].values
    at = prices.__array_interface__["data"][0] - origin.__array_interface__["data"][0]
    with path.open("r+b") as file:
        file.seek(at + 8 * 15)
        file.write(b"\1")
    run.kill()

    with capture_logs() as logs:
        again = Run(tmp_path)
    spill = Spill(tmp_path / "spill" / "one", ["trades"])
    again.store.recover("one", ["trades"], spill)
    found: list[int] = []
    while batches := spill.next():
        found += batches["trades"].column("seq").to_pylist()
    [lost] = spill.take_damaged()
    spill.close()
    assert found == [*range(10), *range(20, 40)]
    assert (lost.table, lost.first_seq, lost.last_seq) == ("trades", 10, 19)
    assert lost.until_ns is not None
    assert again.store.newest == {}
    assert again.ring.next_seq == 40
    assert [line["seqs"] for line in logs if "have changed" in line["event"]] == ["10..19"]
    [(_, why)] = again.store.set_aside
    assert why == "rows have changed: seq 10..19"
    again.store.discard()
    [kept] = (tmp_path / "rings" / "main").glob("*.damaged/trades.ring")
    assert kept.stat().st_size == origin.size


def test_of_changed_rows_those_that_the_spill_has_are_not_lost(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.append(10)
    rows = run.consumer.take()
    path = run.store.files.folder / "trades.ring"
    origin, columns = columns_of(path)
    prices = columns["price"].values
    at = prices.__array_interface__["data"][0] - origin.__array_interface__["data"][0]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\1")
    run.kill()

    again = Run(tmp_path)
    spill = Spill(tmp_path / "spill" / "one", ["trades"])
    assert rows is not None
    spill.append("trades", rows.slice(0, 6))
    again.store.recover("one", ["trades"], spill)
    [lost] = spill.take_damaged()
    spill.close()
    assert (lost.first_seq, lost.last_seq) == (6, 9)


def test_a_start_whose_manifest_is_damaged_is_set_aside_whole(tmp_path: Path) -> None:
    run = killed(tmp_path)
    folder = run.store.files.folder
    (folder / "rings.json").write_text("{}")
    with capture_logs() as logs:
        again = Run(tmp_path)
        assert again.recovered() == []
    kept = folder.with_name("00000001.damaged")
    (line,) = logs
    assert (line["file"], line["kept"]) == (str(folder), str(kept))
    assert (kept / "trades.ring").exists()
    assert not folder.exists()
    assert again.ring.next_seq > 7


def test_what_cannot_be_set_aside_stays_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed(tmp_path)
    (tmp_path / "rings" / "main" / "00000001.damaged").write_text("a file")

    def newest(ring: OldRing) -> None:
        raise Damaged("a row cannot be")

    monkeypatch.setattr(OldRing, "newest", newest)
    with capture_logs() as logs:
        again = Run(tmp_path)
    (line,) = logs
    assert line["why"] == "a row cannot be; it cannot be set aside: File exists"
    assert (run.store.files.folder / "trades.ring").exists()
    assert again.recovered() == []
    assert again.store.newest == {}


def test_a_folder_that_is_none_is_an_error_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def iterdir(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    store = RingStore(tmp_path, "main", {"trades": (TRADES, ROWS)})
    (tmp_path / "main").mkdir()
    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(TickwireError, match="main: cannot hold rings: Permission denied"):
        store.read("")


def test_a_row_that_cannot_be_is_no_error_of_the_start(tmp_path: Path) -> None:
    run = killed(tmp_path)
    path = run.store.files.folder / "trades.ring"
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"0123456"))
        file.write(b"\xff")
    with capture_logs() as logs:
        again = Run(tmp_path)
        assert again.recovered("one") == []
        assert again.recovered("two") == []
    assert again.store.newest == {}  # the gap begins at what sinks had committed
    assert [line["log_level"] for line in logs] == ["error"]
    assert again.ring.next_seq == 7


def test_no_number_comes_twice_where_the_state_is_gone(tmp_path: Path) -> None:
    killed(tmp_path)
    shutil.rmtree(tmp_path / "state")
    again = Run(tmp_path)
    assert again.recovered() == list(range(7))
    assert again.ring.next_seq == 7


def test_rows_that_no_sink_takes_are_named_as_they_are_removed(tmp_path: Path) -> None:
    killed(tmp_path)
    again = Run(tmp_path)
    with capture_logs() as logs:
        again.store.discard()
    (line,) = logs
    assert (line["log_level"], line["trades"]) == ("warning", 7)
    assert again.store.newest == {}


def test_a_gap_that_was_open_goes_on(tmp_path: Path) -> None:
    killed(tmp_path)
    again = Run(tmp_path)
    again.recovered()
    last = again.store.newest["hyperliquid", "trades", "BTC"]
    began: list[dict[StreamName, Position]] = []
    source = SimpleNamespace(
        gaps=SimpleNamespace(start=lambda found, knows_ids: began.append(found))
    )
    for known in (Position(5, None), Position(5, None, 3, "disconnect")):
        positions = SimpleNamespace(
            load=lambda known=known: {("hyperliquid", "trades", "BTC"): known},
            take_gaps=lambda: (),
            begin=lambda positions, streams: None,
            is_kept=False,
            unsettled=frozenset(),
        )
        committed: Any = Committed
        committed(positions, None, (), [source], again.store).start()
    key = "hyperliquid", "trades", "BTC"
    assert [each[key] for each in began] == [last, Position(5, None, 3, "disconnect")]


def test_a_spill_that_its_disk_refuses_keeps_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed(tmp_path)
    again = Run(tmp_path)

    def recover(table: str, batch: pa.RecordBatch) -> bool:
        return False

    spill = Spill(tmp_path / "spill" / "one", ["trades"])
    monkeypatch.setattr(spill, "recover", recover)
    again.store.recover("one", ["trades"], spill)
    again.store.discard()
    assert run.store.files.folder.exists()


def test_a_disk_without_room_for_checksums_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(file: int, n_bytes: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = RingStore(tmp_path, "main", {"trades": (TRADES, ROWS)})
    store.read("")
    monkeypatch.setattr("tickwire.ring.sums.allocate", no_room)
    with pytest.raises(TickwireError, match="cannot hold rings: No space left on device"):
        store.make({"trades": 0})
    assert not store.files.folder.exists()


def test_the_newest_rows_come_first_and_no_more_than_are_wanted(tmp_path: Path) -> None:
    killed(tmp_path)
    again = Run(tmp_path)
    again.append(5)
    again.kill()
    third = Run(tmp_path)

    def seqs(n_rows: int, table: str = "trades") -> list[list[int]]:
        found = third.store.newest_rows(table, n_rows)
        return [batch.column("seq").to_pylist() for batch in found]

    assert seqs(100) == [list(range(7, 12)), list(range(7))]
    assert seqs(5) == [list(range(7, 12))]
    assert seqs(2) == [[10, 11]]
    assert seqs(100, "quotes") == []


def test_a_ring_that_fails_while_its_newest_rows_are_read_costs_only_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path)
    again = Run(tmp_path)
    again.append(5)
    again.kill()
    third = Run(tmp_path)
    batches = OldRing.batches

    def fail_the_last(ring: OldRing, table: Table, after: int) -> Iterator[pa.RecordBatch]:
        if ring.next_seq == 12:
            raise Damaged("a row cannot be")
        return batches(ring, table, after)

    monkeypatch.setattr(OldRing, "batches", fail_the_last)
    for _ in range(2):  # the second time it is set aside already
        [batch] = third.store.newest_rows("trades", 100)
        assert batch.column("seq").to_pylist() == list(range(7))
    assert [why for _, why in third.store.set_aside] == ["a row cannot be"]
    assert third.store.newest == {}


def test_a_ring_of_changed_rows_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.append(10)
    run.consumer.take()
    path = run.store.files.folder / "trades.ring"
    origin, columns = columns_of(path)
    prices = columns["price"].values
    at = prices.__array_interface__["data"][0] - origin.__array_interface__["data"][0]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\1")
    run.kill()
    again = Run(tmp_path)
    aside_of(run.store.files.folder).write_text("a file, where the folder would be")
    again.recovered()
    with capture_logs() as logs:
        again.store.discard()
    [line] = [line for line in logs if line["event"] == "a ring cannot be set aside"]
    assert (line["file"], line["error"]) == (str(path), "File exists")


def test_rings_in_files_need_a_state(tmp_path: Path) -> None:
    source = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    with pytest.raises(ConfigError, match="ring_dir needs a state_dir"):
        tickwire.FeedHandler(source, ring_dir=tmp_path)
