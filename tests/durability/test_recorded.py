"""A storm that is recorded raw: its replay has the same rows, and a kill leaves whole blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.durability.recorded import Outcome, judge_cuts, judge_storm

pytestmark = pytest.mark.thorough


@pytest.mark.timeout(300)
async def test_rows_of_a_storm_are_those_of_its_recording(tmp_path: Path) -> None:
    outcome = Outcome()
    await judge_storm(tmp_path / "storm", outcome, seconds=15, seed=3)
    assert not outcome.problems, str(outcome)
    assert "book: " in outcome.rows


@pytest.mark.timeout(300)
async def test_a_recording_that_is_cut_is_whole_blocks(tmp_path: Path) -> None:
    outcome = Outcome()
    await judge_cuts(tmp_path, outcome, kills=3, rate=3000, seed=3)
    assert not outcome.problems, str(outcome)
    assert outcome.n_messages > 100
