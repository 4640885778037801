"""A venue that repeats its last trades after a subscribe: each is stored once, over restarts."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.durability.crash import crash


@pytest.mark.thorough
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("has_rings", [False, True], ids=["none", "rings"])
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
async def test_each_trade_is_stored_once(
    ending: signal.Signals, has_rings: bool, loop: str, tmp_path: Path
) -> None:
    outcome = await crash(
        tmp_path, kills=2, rate=1000, seed=1, has_rings=has_rings, ending=ending, loop=loop,
        longest_s=0.7,
    )  # fmt: skip
    assert not outcome.problems, str(outcome)
    assert outcome.rows > 500
