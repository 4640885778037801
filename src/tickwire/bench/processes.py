"""Processes of their own: senders, and the receivers that are measured.

Rules of this file
------------------
- A process starts before its job is known: what it imports takes longer than many a run.
- It ends with its block; until then it waits, so that nothing of it is measured with the next one.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import structlog

from tickwire.errors import TickwireError

# Not "fork": the parent may have threads and an event loop.
START_METHOD = "spawn"


class ChildProcess:
    """A process that ends with its block; what it does and sends is a subclass's.

    Attributes
    ----------
    name, lateness
        What it is, and what it has not done where it is late: for errors.
    """

    name: ClassVar[str] = "the process"
    lateness: ClassVar[str] = "did not finish"

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        """Start it: `target` is called with the arguments and its end of the pipe."""
        context = multiprocessing.get_context(START_METHOD)
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(  # type: ignore[attr-defined] # every method's has it
            target=target, args=(*arguments, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def _send(self, value: object) -> None:
        """Send it something; where it has ended, `_receive` finds out why."""
        if self._pipe is None:
            raise TickwireError(f"{self.name} does not run")
        with suppress(BrokenPipeError):  # what it sent before it ended can still be received
            self._pipe.send(value)

    def _receive(self, timeout_s: float | None) -> Any:
        """Wait for what it sends next; None: as long as it lives.

        Raises
        ------
        TickwireError
            Where it has ended, or sends nothing in time.
        """
        if self._pipe is None:
            raise TickwireError(f"{self.name} does not run")
        if not self._pipe.poll(timeout_s):
            raise TickwireError(f"{self.name} {self.lateness} within {timeout_s:g} s")
        try:
            return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise TickwireError(f"{self.name} ended before it was done") from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()


class Receive(Protocol):
    """What runs in a receiver's process until its job is done."""

    def __call__(self, job: Any, report: Callable[[Any], None], /) -> None:
        """Receive; `report` takes each result, in as many calls as the caller waits for."""


class ReceiverProcess(ChildProcess):
    """A receiver in its process; a context manager.

    Parameters
    ----------
    receive
        A function of a module, so that another process finds it.
    """

    name = "the receiver"
    lateness = "did not get every message"

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self._function = receive

    def __enter__(self) -> Self:
        self._start(_run, self._function)
        return self

    def begin(self, job: Any) -> None:
        """Give it its job, once."""
        self._send(job)

    def result(self, timeout_s: float = 60.0) -> Any:
        """Wait for its next report.

        Raises
        ------
        TickwireError
            Where it failed, or reports nothing in that time.
        """
        result = self._receive(timeout_s)
        if isinstance(result, _Failure):
            raise TickwireError(result.text)
        return result


class _Failure:
    """Why a receiver failed."""

    def __init__(self, text: str) -> None:
        self.text = text


def _run(receive: Receive, pipe: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        receive(pipe.recv(), pipe.send)
    except Exception as error:  # the process's edge: there is no caller to see the error
        pipe.send(_Failure(f"{type(error).__name__}: {error}"))
    pipe.poll(None)  # its parent ends it
