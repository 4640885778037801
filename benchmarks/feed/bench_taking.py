"""From a publish to the body of an `async for`, one row each: by form. Informational.

A round is a hundred publishes, each taken before the next; the loop's own hop is in it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvloop
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.feed import BatchConsumer, LightConsumer, RowConsumer
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

N_PUBLISHES = 100


@pytest.mark.parametrize("kind", [BatchConsumer, LightConsumer, RowConsumer])
def test_async_for(benchmark: BenchmarkFixture, kind: type[Any]) -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries())
    n_taken = 0

    async def follow() -> None:
        nonlocal n_taken
        async for _item in kind(ring):
            n_taken += 1

    async def publish() -> None:
        for _ in range(N_PUBLISHES):
            ring.append(venue="v", symbol="s", conn=0, price=1.0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        following = loop.create_task(follow())
        loop.run_until_complete(asyncio.sleep(0))
        measure(
            benchmark,
            lambda: loop.run_until_complete(publish()),
            n_messages=N_PUBLISHES,
        )
        assert n_taken > 0
        assert n_taken % N_PUBLISHES == 0
        following.cancel()
