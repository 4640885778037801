"""What a start has taken over from earlier runs: counters, and rows of sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.feed.runs import Run, killed, killed_with_spill

from tickwire.feed.kept import ring_store
from tickwire.feed.kept.taken_over import report_taken_over
from tickwire.observe import Registry
from tickwire.ring import aside_of, set_aside
from tickwire.store import Spill


class Sink:
    """As much of a sink as is looked at."""

    name = "one"
    tables = ("trades",)


class Ledger:
    """Keeps events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, event: str, detail: str, place: object) -> None:
        self.events.append((event, detail))


def reported(spills, rings):
    registry, ledger = Registry(), Ledger()
    report_taken_over([Sink()], spills, rings, ledger, registry.labelled())
    return registry, ledger.events


def test_rows_of_spill_and_rings_are_counted_apart(tmp_path: Path) -> None:
    killed_with_spill(tmp_path, "one")
    again = Run(tmp_path)
    spill = Spill(tmp_path / "spill" / "one", ["trades"])
    again.store.recover("one", ["trades"], spill)
    registry, events = reported({"one": spill}, again.store)
    assert registry.total("taken_over_rows") == 9
    assert events == [("taken_over", "one: trades from seq 0: 5 of its spill, 4 of its ring")]
    spill.close()
    again.kill()


def test_nothing_taken_over_is_not_said(tmp_path: Path) -> None:
    registry, events = reported({"one": Spill(None, ["trades"])}, None)
    assert not events
    assert not registry.total("taken_over_rows")


def test_what_no_sink_takes_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    killed(tmp_path, 3)
    again = Run(tmp_path)
    again.store.discard()
    registry, events = reported({"one": Spill(None, ["trades"])}, again.store)
    assert events == [("unclaimed", "trades: 3 rows removed")]
    assert registry.total("unclaimed_rows") == 3
    again.append(2)
    again.kill()

    with (again.store.files.folder / "trades.ring").open("r+b") as file:
        file.write(b"x")
    third = Run(tmp_path)
    registry, events = reported({"one": Spill(None, ["trades"])}, third.store)
    third.kill()
    assert registry.total("rings_set_aside") == 1
    [(event, detail)] = events
    assert event == "set_aside"
    assert detail.endswith("/trades.ring: its header is damaged")


def test_what_was_set_aside_is_kept_for_so_many_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_store, "KEPT_STARTS", 2)
    run = Run(tmp_path)
    root = run.store.files.folder.parent
    for number in (3, 1, 2):
        aside_of(root / f"0000000{number}").mkdir()
    (root / "mine.damaged").mkdir()
    with capture_logs() as logs:
        run.store.discard()
    run.kill()
    assert [each.name for each in set_aside(root)] == ["00000002.damaged", "00000003.damaged"]
    assert (root / "mine.damaged").is_dir()
    assert [entry["kept"] for entry in logs if "newer ones are kept" in entry["event"]] == [2]
