"""Rings to consume, on both event loops."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
RING_ROWS = 1024


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Run a coroutine to its end on each event loop."""

    def run_on_loop(coroutine: object) -> object:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(coroutine)  # type: ignore[arg-type] # every test gives a coroutine

    return run_on_loop


@pytest.fixture
def ring() -> Ring:
    """A small ring of mids."""
    return Ring(TABLES["mids"], RING_ROWS, Dictionaries())
