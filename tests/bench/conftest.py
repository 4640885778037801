"""Either event loop, and processes that are forked from one that has imported the program."""

import asyncio

import pytest
import uvloop
from tests.cli.program import server

from tickwire.bench import processes


def pytest_asyncio_loop_factories(config, item):
    """Run every async test on asyncio's loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Start processes quickly; `tickwire bench` starts Python anew for each."""
    server()
    monkeypatch.setattr(processes, "START_METHOD", "forkserver")
