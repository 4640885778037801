"""A spill: in order, once, bounded, and over a restart."""

from pathlib import Path

import pytest
from tests.sinks.batches import batch_of

from tickwire.schema import TABLES
from tickwire.store import DamagedRows, SegmentError, Spill

TRADES, MIDS = TABLES["trades"], TABLES["mids"]


@pytest.fixture(params=["memory", "disk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spill" if request.param == "disk" else None


def read_all(spill: Spill) -> list[int]:
    seqs: list[int] = []
    while spill.has_unread:
        for batch in spill.next().values():
            seqs += batch.column("seq").to_pylist()
    return seqs


def test_rows_are_read_in_order_and_go_when_they_are_trimmed(folder: Path | None) -> None:
    spill = Spill(folder, ["trades", "mids"])
    for i in range(3):
        assert spill.append("trades", batch_of(TRADES, 10, 10 * i))
    assert spill.append("mids", batch_of(MIDS, 5, 100))
    first = spill.next()
    assert {table: batch.num_rows for table, batch in first.items()} == {"trades": 10, "mids": 5}
    assert read_all(spill) == list(range(10, 30))
    n_bytes = spill.n_bytes
    spill.trim({"trades": 15, "mids": 104})
    assert 0 < spill.n_bytes < n_bytes
    spill.rewind()
    assert read_all(spill) == list(range(10, 30))
    spill.trim({"trades": 29})
    assert spill.n_bytes == 0
    spill.close()


def test_rows_that_the_caller_has_are_given_after_a_rewind_alone(folder: Path | None) -> None:
    spill = Spill(folder, ["trades"])
    spill.append("trades", batch_of(TRADES, 10), is_read=True)
    assert not spill.has_unread
    spill.append("trades", batch_of(TRADES, 10, 10))
    with pytest.raises(ValueError, match="have not been read"):
        spill.append("trades", batch_of(TRADES, 10, 20), is_read=True)
    assert read_all(spill) == list(range(10, 20))
    spill.rewind()
    assert read_all(spill) == list(range(20))


def test_what_was_not_read_is_not_trimmed(folder: Path | None) -> None:
    spill = Spill(folder, ["trades"])
    spill.append("trades", batch_of(TRADES, 10))
    spill.trim({"trades": 1000})
    assert read_all(spill) == list(range(10))


def test_it_has_a_bound(folder: Path | None) -> None:
    batch = batch_of(TRADES, 100)
    spill = Spill(folder, ["trades"], max_bytes=2 * batch.nbytes)
    assert not spill.is_full
    spill.append("trades", batch)
    spill.append("trades", batch_of(TRADES, 100, 100))
    spill.append("trades", batch_of(TRADES, 100, 200))
    assert spill.is_full


def test_a_restart_finds_what_was_left(tmp_path: Path) -> None:
    spill = Spill(tmp_path, ["trades"])
    for i in range(3):
        spill.append("trades", batch_of(TRADES, 10, 10 * i), is_read=True)
    spill.trim({"trades": 12})
    spill.close()
    again = Spill(tmp_path, ["trades"])
    assert again.recovered_rows("trades") == 30  # its segment is as it was
    again.append("trades", batch_of(TRADES, 10, 70))
    for _ in range(3):
        again.next()
        assert again.is_recovered("trades")
    again.next()
    assert not again.is_recovered("trades")
    again.trim({"trades": 29})
    assert again.recovered_rows("trades") == 0


def test_rows_wait_in_memory_for_a_disk_that_fails(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    spill = Spill(folder, ["trades"])
    (folder / "trades").rmdir()
    (folder / "trades").write_text("in the way")
    assert not spill.append("trades", batch_of(TRADES, 10))
    assert "cannot be written" in spill.error
    assert not spill.flush()
    (folder / "trades").unlink()
    assert spill.append("trades", batch_of(TRADES, 10, 10))
    assert spill.error == ""
    assert read_all(spill) == list(range(20))


def test_a_damaged_record_is_passed_over_and_kept(tmp_path: Path) -> None:
    spill = Spill(tmp_path, ["trades"])
    for i in range(3):
        spill.append("trades", batch_of(TRADES, 10, 10 * i))
    (path,) = (tmp_path / "trades").glob("*.segment")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert read_all(spill) == list(range(10, 30))
    assert spill.n_damaged == 1
    spill.trim({"trades": 29})
    assert [each.suffix for each in (tmp_path / "trades").iterdir()] == [".damaged"]


def test_its_rows_can_be_read_without_its_lock(folder: Path | None) -> None:
    spill = Spill(folder, ["trades"])
    assert spill.readers("trades") == spill.readers("mids") == []
    for i in range(3):
        spill.append("trades", batch_of(TRADES, 10, 10 * i))
    spill.next()
    readers = spill.readers("trades")
    rows = [read() for read in readers]
    assert [batch.column("seq")[0].as_py() for batch in rows if batch is not None] == [0, 10, 20]
    spill.trim({"trades": 29})
    spill.next()
    spill.next()
    spill.trim({"trades": 29})
    assert spill.readers("trades") == []
    if folder is not None:
        with pytest.raises(SegmentError) as gone:
            readers[0]()
        assert isinstance(gone.value.__cause__, FileNotFoundError)


def test_a_segment_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    spill = Spill(tmp_path, ["trades"])
    spill.append("trades", batch_of(TRADES, 10))
    (path,) = (tmp_path / "trades").glob("*.segment")
    path.unlink()
    with pytest.raises(SegmentError, match="cannot be read"):
        spill.next()


def test_what_is_passed_over_is_known_with_the_rows_around_it(tmp_path: Path) -> None:
    spill = Spill(tmp_path, ["trades"])
    for i in range(4):
        spill.append("trades", batch_of(TRADES, 10, 10 * i, ts_recv=range(10 * i, 10 * i + 10)))
    (path,) = (tmp_path / "trades").glob("*.segment")
    records = list(spill._backlogs["trades"].log.records)
    data = bytearray(path.read_bytes())
    for record in (records[1], records[3]):
        data[record.offset + 200] ^= 1
    path.write_bytes(data)
    spill.next()
    assert not spill.has_damage
    spill.next()
    assert spill.take_damaged() == [DamagedRows("trades", 10, 19, 9, 20)]
    assert read_all(spill) == []
    assert spill.take_damaged() == [DamagedRows("trades", 30, 39, 29, None)]
    assert not spill.has_damage
    spill.rewind()
    assert read_all(spill) == [*range(10), *range(20, 30)]
    assert spill.take_damaged() == []
    assert spill.n_damaged == 2


@pytest.mark.parametrize(
    ("recovered", "lost"),
    [(None, (20, 29)), (24, (20, 23)), (20, None), (30, (20, 29))],
)
def test_a_last_record_that_is_damaged_is_lost_but_for_what_a_ring_has(
    tmp_path: Path, recovered: int | None, lost: tuple[int, int] | None
) -> None:
    spill = Spill(tmp_path, ["trades", "mids"])
    for i in range(3):
        spill.append("trades", batch_of(TRADES, 10, 10 * i, ts_recv=range(10 * i, 10 * i + 10)))
    spill.close()
    (path,) = (tmp_path / "trades").glob("*.segment")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    spill = Spill(tmp_path, ["trades", "mids"])
    assert spill.last_seq("trades") == 19
    spill.recover("mids", batch_of(MIDS, 10, 0))
    if recovered is not None:
        times = range(recovered, recovered + 10)
        spill.recover("trades", batch_of(TRADES, 10, recovered, ts_recv=times))
    expected = [] if lost is None else [DamagedRows("trades", *lost, 19, recovered)]
    assert spill.has_damage == bool(expected)
    assert spill.take_damaged() == expected
    assert not spill.has_damage
    assert spill.n_damaged == 1
    spill.close()
    assert not Spill(tmp_path, ["trades", "mids"]).has_damage


def test_a_damaged_end_of_a_segment_is_lost_between_its_neighbors(tmp_path: Path) -> None:
    for first in (0, 20):
        spill = Spill(tmp_path, ["trades"])
        for at in (first, first + 10):
            spill.append("trades", batch_of(TRADES, 10, at, ts_recv=range(at, at + 10)))
        spill.close()
    path = min((tmp_path / "trades").glob("*.segment"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    spill = Spill(tmp_path, ["trades"])
    spill.recover("trades", batch_of(TRADES, 10, 40))
    assert spill.take_damaged() == [DamagedRows("trades", 10, 19, 9, 20)]
    assert read_all(spill) == [*range(10), *range(20, 50)]
