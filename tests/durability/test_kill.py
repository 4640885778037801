"""A feed that is killed: what its rings had published is in every sink, once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.durability.crash import crash


@pytest.mark.volume
async def test_rows_that_were_published_outlive_a_kill(tmp_path: Path) -> None:
    outcome = await crash(tmp_path, kills=2, rate=2000, seed=1, longest_s=0.7)
    assert not outcome.problems, str(outcome)
    assert outcome.rows > 1000


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [2, 3])
async def test_many_kills(seed: int, tmp_path: Path) -> None:
    outcome = await crash(tmp_path, kills=10, rate=5000, seed=seed)
    assert not outcome.problems, str(outcome)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("again", [False, True])
async def test_other_ends(number: signal.Signals, again: bool, tmp_path: Path) -> None:
    outcome = await crash(
        tmp_path, kills=4, rate=2000, seed=4, ending=number, again=again, rotate_s=60,
        sinks=("duckdb", "parquet", "ipc", "raw"), longest_s=1.0,
    )  # fmt: skip
    assert not outcome.problems, str(outcome)
