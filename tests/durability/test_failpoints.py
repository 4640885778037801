"""Points at which a process is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.durability import jumps

import tickwire
from tickwire import failpoints
from tickwire.observe._build import PROFILE
from tickwire.ring import earlier_starts, read_rings

C_FOLDER = Path(__file__).parents[2] / "ext"


def test_it_is_killed_at_the_pass_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []
    monkeypatch.setattr(failpoints.os, "kill", lambda pid, number: killed.append(number))
    monkeypatch.setenv(failpoints.VARIABLE, "rename:3")
    point, number = failpoints._wanted()
    monkeypatch.setattr(failpoints, "_POINT", point)
    monkeypatch.setattr(failpoints, "_NUMBER", number)
    monkeypatch.setattr(failpoints, "_n_reached", 0)
    for _ in range(2):
        failpoints.reach("rename")
        failpoints.reach("commit")
    assert killed == []
    failpoints.reach("rename")
    assert killed == [signal.SIGKILL]


@pytest.mark.parametrize(
    ("value", "wanted"), [("", ("", 1)), ("state", ("state", 1)), ("state:x", ("state", 1))]
)
def test_without_a_number_it_is_the_first_pass(
    monkeypatch: pytest.MonkeyPatch, value: str, wanted: tuple[str, int]
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, value)
    assert failpoints._wanted() == wanted


def test_each_point_stands_once_in_the_code() -> None:
    folder = Path(tickwire.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    found = [name for text in texts for name in re.findall(r'\breach\("(\w+)"\)', text)]
    assert sorted(found) == sorted(failpoints.POINTS)


def test_each_point_in_c_stands_once_there() -> None:
    paths = [path for end in ("*.h", "*.pyx") for path in C_FOLDER.rglob(end)]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    found = [name for text in texts for name in re.findall(r'TW_REACH\("(\w+)"\)', text)]
    assert sorted(found) == sorted(failpoints.IN_C)


def killed_at(point: str, number: int, folder: Path) -> tuple[int, int]:
    """Have a process killed; gives the rows that it had published and committed before."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.durability.jumps", str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, failpoints.VARIABLE: f"{point}:{number}"},
        cwd=C_FOLDER.parent,
        check=False,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, point
    published, committed = done.stdout.splitlines()[-1].split()
    return int(published), int(committed)


@pytest.mark.skipif(PROFILE not in failpoints.WITH_C, reason="this build has no points in C")
def test_a_kill_within_a_ring_leaves_each_row_once_and_none_that_is_wrong(tmp_path: Path) -> None:
    for point in failpoints.IN_C:
        for number in (1, 2, 3):
            root = tmp_path / f"{point}{number}"
            published, committed = killed_at(point, number, root)
            (folder,) = earlier_starts(root)
            rings, damaged = read_rings(folder)
            assert not damaged, point
            ring = rings["trades"]
            # What was being published may count or not; what was, does.
            assert ring.next_seq in (published, published + jumps.STEP), point
            rows = [
                row
                for batch in ring.batches(jumps.TABLE, committed - 1)
                for row in batch.select(["seq", "symbol", "trade_id", "price"]).to_pylist()
            ]
            assert [row["seq"] for row in rows] == list(range(committed, ring.next_seq)), point
            for row in rows:
                seq = row["seq"]
                assert row["symbol"] == jumps.symbol_of(seq), (point, seq)
                assert row["trade_id"] == jumps.trade_id_of(seq), (point, seq)
                assert row["price"] == seq / 2, (point, seq)
