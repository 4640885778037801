"""Runs a coroutine on the event loop that feeds run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run(main: Coroutine[Any, Any, _Result], *, loop: str = "uvloop") -> _Result:
    """Run `main` to its end, on uvloop where there is one.

    Parameters
    ----------
    main
        What to run.
    loop
        `uvloop` or `asyncio`.

    Returns
    -------
    object
        What it returns.
    """
    with asyncio.Runner(loop_factory=_factory(loop)) as runner:
        return runner.run(main)


def _factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if loop == "uvloop":
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
