"""Runs a coroutine on the event loop that feeds run on.

What a callback of the loop raises, a dependency's too, never reaches the terminal as a traceback:
it is counted, and one line of the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tickwire.config import Context
from tickwire.logs import get_logger
from tickwire.redaction import shown
from tickwire.supervise import Failures

_Result = TypeVar("_Result")
_log = get_logger("tickwire.feed")


def run(
    main: Coroutine[Any, Any, _Result], *, loop: str = "uvloop", debug: bool = False
) -> _Result:
    """Run `main` to its end, on uvloop where there is one.

    Parameters
    ----------
    main
        What to run.
    loop
        `uvloop` or `asyncio`.
    debug
        The loop's debug mode.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    RuntimeError
        Where a loop runs already, as in a notebook: there, `await main()` does it.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        if asyncio.iscoroutine(main):
            main.close()  # it will not be awaited any more
        raise RuntimeError(
            "tickwire.run starts an event loop, and one runs already (as in a notebook): "
            "use `await main()` instead"
        )
    with asyncio.Runner(loop_factory=_factory(loop), debug=debug or None) as runner:
        runner.get_loop().set_exception_handler(CallbackErrors())
        return runner.run(main)


class CallbackErrors:
    """The exception handler of a loop: counts what callbacks raise, and logs it in one line.

    Attributes
    ----------
    n_errors
        How many there were, but for the failures of transports, which their users get too.
    failures
        Where they are reported; a feed's own while one runs.
    """

    def __init__(self) -> None:
        self.n_errors = 0
        self.failures = Failures()

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the loop tells."""
        error = context.get("exception")
        # aiofastnet gives the class where asyncio gives an object (docs/upstream.md).
        kind = error if isinstance(error, type) else type(error)
        if "transport" in context and issubclass(kind, OSError):  # ssl.SSLError too
            return
        self.n_errors += 1
        message = str(context.get("message", "")).partition("\n")[0]
        text = shown(f"{message}: {kind.__name__}: {error}" if error is not None else message)
        if not isinstance(error, BaseException):
            error = RuntimeError(text)
        self.failures.report(error, Context.TASK, "a callback failed", log=_log, error=text)


def callback_errors() -> CallbackErrors | None:
    """Give the handler of the running loop; None where a program runs its own."""
    handler = asyncio.get_running_loop().get_exception_handler()
    return handler if isinstance(handler, CallbackErrors) else None


def _factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if loop == "uvloop":
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
