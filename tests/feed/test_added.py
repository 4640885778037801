"""Sinks that were added to a feed: what they get of the rows from before, and what is said."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.feed.runs import ROWS, Run
from tests.sinks.batches import ListSource, batch_of

import tickwire
from tickwire.config import Feed
from tickwire.feed.kept.added import fill_added, report_added
from tickwire.feed.kept.spilling import spill_of
from tickwire.feed.opening import open_sinks
from tickwire.schema import TABLES
from tickwire.sinks import Identity, Sink
from tickwire.store import SegmentError, Spill


class Output:
    """As much of a sink as is looked at."""

    tables = ("trades",)

    def __init__(self, name: str, *, is_added: bool) -> None:
        self.name = name
        self.is_added = is_added

    def has_rows(self, table: str) -> bool:
        return not self.is_added


class Ledger:
    """Keeps events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, event: str, detail: str, place: object) -> None:
        self.events.append((event, detail))


def rows(first: int, last: int) -> pa.RecordBatch:
    n = last - first + 1
    return pa.RecordBatch.from_pydict(
        {"seq": range(first, last + 1), "ts_recv": pa.array([1] * n, pa.timestamp("ns"))}
    )


def spilled(folder: Path, name: str, *ranges: tuple[int, int]) -> Spill:
    spill = Spill(folder / name, ["trades"])
    for first, last in ranges:
        spill.append("trades", rows(first, last))
    spill.close()
    return Spill(folder / name, ["trades"])  # as the next start finds it


def seqs(spill: Spill) -> list[int]:
    found: list[int] = []
    while batches := spill.next():
        found += batches["trades"].column("seq").to_pylist()
    return found


def test_it_gets_what_others_have_in_segments_each_row_once(tmp_path: Path) -> None:
    spills = {
        "a": spilled(tmp_path, "a", (10, 14), (15, 19)),
        "b": spilled(tmp_path, "b", (12, 16), (17, 23)),
        "new": spilled(tmp_path, "new"),
    }
    sinks = [Output("a", is_added=False), Output("b", is_added=False), Output("new", is_added=True)]
    assert fill_added(sinks, spills) == {("new", "trades"): 14}
    assert seqs(spills["new"]) == list(range(10, 24))
    assert seqs(spills["a"]) == list(range(10, 20))
    ledger = Ledger()
    report_added(sinks, spills, {"trades": 30}, ledger)
    assert ledger.events == [("sink_added", "new: trades from seq 10")]


def test_a_start_that_was_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    spills = {
        "a": spilled(tmp_path, "a", (10, 14), (15, 19)),
        "new": spilled(tmp_path, "new", (10, 14)),
    }
    sinks = [Output("a", is_added=False), Output("new", is_added=True)]
    assert fill_added(sinks, spills) == {("new", "trades"): 5}
    assert seqs(spills["new"]) == list(range(10, 20))


def test_what_cannot_be_read_of_others_is_named_and_the_rest_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spills = {
        "a": spilled(tmp_path, "a", (10, 14), (15, 19), (20, 24)),
        "b": spilled(tmp_path, "b", (22, 26), (27, 31)),
        "new": spilled(tmp_path, "new"),
    }

    def gone() -> None:
        raise SegmentError("its file is gone")

    _, second, _ = spills["a"].readers("trades")
    monkeypatch.setattr(spills["a"], "readers", lambda _: [lambda: None, second, gone])
    sinks = [Output(name, is_added=name == "new") for name in spills]
    with capture_logs() as logs:
        assert fill_added(sinks, spills) == {("new", "trades"): 15}
    assert seqs(spills["new"]) == [*range(15, 20), *range(22, 32)]
    [line] = [each for each in logs if each["log_level"] == "warning"]
    assert (line["table"], line["error"]) == ("trades", "its file is gone")


def test_an_output_with_rows_gets_nothing_and_is_not_named(tmp_path: Path) -> None:
    spills = {"a": spilled(tmp_path, "a", (10, 14)), "old": spilled(tmp_path, "old")}
    sinks = [Output("a", is_added=False), Output("old", is_added=False)]
    ledger = Ledger()
    assert not fill_added(sinks, spills)
    report_added(sinks, spills, {"trades": 30}, ledger)
    assert not ledger.events
    assert seqs(spills["old"]) == []


def test_without_rows_of_before_it_begins_with_the_next_one(tmp_path: Path) -> None:
    spills = {"new": Spill(None, ["trades"]), "old": Spill(None, ["trades"])}
    sinks = [Output("new", is_added=True), Output("old", is_added=False)]
    ledger = Ledger()
    report_added(sinks, spills, {"trades": 30}, ledger)
    assert ledger.events == [("sink_added", "new: trades from seq 30")]
    report_added(sinks, spills, {"trades": 0}, ledger)  # a new feed
    assert len(ledger.events) == 1


def test_a_table_of_which_no_sink_has_a_row_is_not_named(tmp_path: Path) -> None:
    # After a kill without rings its next number is behind those that were reserved.
    spills = {name: Spill(None, ["trades"]) for name in ("a", "b")}
    sinks = [Output("a", is_added=True), Output("b", is_added=True)]
    ledger = Ledger()
    report_added(sinks, spills, {"trades": 1 << 28}, ledger)
    assert not ledger.events


@pytest.mark.parametrize("has_rows", [False, True])
def test_an_ipc_folder_with_empty_files_has_no_rows(tmp_path: Path, has_rows: bool) -> None:
    settings = tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"])
    for is_first in (True, False):
        sink = settings.make_sink("main")
        assert sink.has_rows("trades") is None
        sink.identity = Identity("an id", is_new=is_first)
        sink.open([TABLES["trades"]])
        if not is_first:
            assert sink.has_rows("trades") is has_rows
        source = ListSource()
        if is_first and has_rows:
            source.put(batch_of(TABLES["trades"], 3))
        sink.start({"trades": source})
        sink.stop()


@pytest.mark.parametrize("kind", ["duckdb", "parquet", "ipc"])
async def test_an_added_sink_has_the_rows_of_segments_and_rings(tmp_path: Path, kind: str) -> None:
    settings = {
        "duckdb": tickwire.DuckDBSink(path=tmp_path / "m.duckdb", tables=["trades"]),
        "parquet": tickwire.ParquetSink(path=tmp_path / "data", tables=["trades"]),
        "ipc": tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"]),
        "other": tickwire.ParquetSink(path=tmp_path / "other", name="other", tables=["trades"]),
    }
    feed = Feed(state_dir=tmp_path / "state")

    def made(*names: str) -> list[Sink]:
        found = [settings[name].make_sink("main") for name in names]
        for sink in found:
            sink.prepare([TABLES["trades"]])
        return found

    first = Run(tmp_path)
    (other,) = made("other")
    spill = spill_of(feed, other)
    for _ in range(4):
        first.append(ROWS // 2)
        spill.append("trades", first.consumer.take())
        first.consumer.commit()
    spill.close()
    first.append(3)
    first.kill()

    again = Run(tmp_path)
    sinks = made("other", kind)
    spills = await open_sinks(feed, sinks, again.store)
    assert sinks[1].has_rows("trades") is False
    assert seqs(spills[kind]) == list(range(2 * ROWS + 3))
    for sink in sinks:
        sink.stop(drain=False)
        spills[sink.name].close()
    again.kill()
