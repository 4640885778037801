"""A venue that repeats its last trades after a subscribe: each is stored once, over restarts."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

import pytest
from tests.durability.crash import crash

ENDINGS = (signal.SIGKILL, signal.SIGTERM)
LOOPS = ("asyncio", "uvloop")


@pytest.mark.parametrize(
    ("ending", "has_rings", "loop"),
    [
        pytest.param(
            ending, has_rings, loop, id=f"{ending.name}-{'rings' if has_rings else 'none'}-{loop}",
            marks=[] if (ending, has_rings, loop) == (ENDINGS[0], False, "asyncio")
            else pytest.mark.thorough,
        )
        for ending, has_rings, loop in itertools.product(ENDINGS, (False, True), LOOPS)
    ],
)  # fmt: skip
async def test_each_trade_is_stored_once(
    ending: signal.Signals, has_rings: bool, loop: str, tmp_path: Path
) -> None:
    outcome = await crash(
        tmp_path, kills=2, rate=1000, seed=1, has_rings=has_rings, ending=ending, loop=loop,
        longest_s=0.7,
    )  # fmt: skip
    assert not outcome.problems, str(outcome)
    assert outcome.rows > 500
