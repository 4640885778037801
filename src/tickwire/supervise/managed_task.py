"""A task under a name: a future of its result, which outlives restarts.

Rules of this file
------------------
- Cancellation is never swallowed: a cancelled task ends, and is never restarted. A `CancelledError`
  that was not asked for (of a future that was awaited) is a failure like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from tickwire.redaction import hidden
from tickwire.supervise.backoff import Backoff

_Result = TypeVar("_Result")

FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0  # between two restarts
STEADY_S = 60.0  # a task that ran for so long starts over with the shortest delay
LONGEST_ERROR = 500  # characters


class Owner(Protocol):
    """What a task tells while it runs."""

    async def wait(self, seconds: float) -> None:
        """Wait for a restart."""

    def create(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Make the task itself."""

    def restarting(self, task: ManagedTask[Any], failure: Exception | None, delay_s: float) -> None:
        """A task has ended and is begun again after a delay."""

    def ended(self, task: ManagedTask[Any]) -> None:
        """A task has ended for good."""


class Restart(StrEnum):
    """When a task is started again; never after it was cancelled."""

    NEVER = "never"
    ON_FAILURE = "on_failure"
    ALWAYS = "always"  # after a return, too


class State(StrEnum):
    """What a task does."""

    RUNNING = "running"
    WAITING = "waiting"  # for its restart
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task at one moment: plain data.

    Parameters
    ----------
    name
        Of a helper: the name of its task, a slash, its own.
    state
        `running`, `waiting` for its restart, `done`, `failed` or `cancelled`.
    restart
        `never`, `on_failure` or `always`.
    restarts
        How often it was started again.
    seconds
        How long it has been in this state.
    last_error
        Of its last failure: kind, text and place; empty where it has not failed.
    where
        File, line and function that it waits in; empty where it does not run.
    """

    name: str
    state: str
    restart: str
    restarts: int
    seconds: float
    last_error: str
    where: str

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)


class ManagedTask(asyncio.Future[_Result], Generic[_Result]):
    """A task of a `TaskManager`: a future of its result, which outlives restarts.

    Awaiting it gives the result of the task, or raises its last error. Cancelling it cancels the
    task; it is done when the task has ended.

    Attributes
    ----------
    name
        Its name.
    restart
        Its restart policy.
    restarts
        How often it was started again.
    state
        What it does.
    last_error
        Of its last failure; empty where it has not failed.
    failure
        The error that ended it for good.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[_Result]],
        restart: Restart,
        owner: Owner,
        parent: ManagedTask[Any] | None = None,
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.name = name
        self.restart = restart
        self.restarts = 0
        self.state = State.RUNNING
        self.last_error = ""
        self._work = work
        self.owner = owner
        self.parent = parent  # of a helper
        self._since_s = monotonic()
        self._outcome: tuple[_Result] | None = None
        self.failure: Exception | None = None
        self._running: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<ManagedTask {self.name}: {self.state}, {self.restarts} restarts>"

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the task to end; False where it has ended.

        Parameters
        ----------
        msg
            As of `asyncio.Task.cancel`.
        """
        return self._running is not None and not self.done() and self._running.cancel(msg)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its restart."""
        return self.state is State.WAITING

    def status(self) -> TaskStatus:
        """Give how it stands."""
        return TaskStatus(
            self.name,
            self.state.value,
            self.restart.value,
            self.restarts,
            round(monotonic() - self._since_s, 3),
            self.last_error,
            "" if self._running is None or self.done() else where_of(self._running),
        )

    def begin(self) -> None:
        """Make the task; once."""
        self._running = self.owner.create(self._run(), name=self.name)
        self._running.add_done_callback(self._end)

    async def _run(self) -> None:
        CURRENT.set(self)
        backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S, at_once=0)
        while True:
            began_s = monotonic()
            try:
                result = await self._work()
            except asyncio.CancelledError as error:
                if _is_being_cancelled():
                    raise
                failure: Exception | None = RuntimeError(f"cancelled from within: {error}")
            except Exception as error:  # whatever ends a task is its failure
                failure = error
            else:
                failure = None
                self._outcome = (result,)
            is_last = self.restart is Restart.NEVER or (
                failure is None and self.restart is Restart.ON_FAILURE
            )
            if failure is not None:
                self.last_error = describe(failure)
            if is_last:
                self.failure = failure
                return
            if monotonic() - began_s >= STEADY_S:
                backoff.reset()
            delay_s = backoff.next_delay_s()
            self._enter(State.WAITING)
            self.owner.restarting(self, failure, delay_s)
            await self.owner.wait(delay_s)
            self.restarts += 1
            self._enter(State.RUNNING)

    def _enter(self, state: State) -> None:
        self.state = state
        self._since_s = monotonic()

    def _end(self, task: asyncio.Task[None]) -> None:
        """Hand on how the task ended; also of one that was cancelled before its first step."""
        if task.cancelled():
            self._enter(State.CANCELLED)
            super().cancel()
        elif task.exception() is not None:  # SystemExit and its like: the loop raises them itself
            self._enter(State.FAILED)
            super().cancel()
        elif self.failure is not None:
            self._enter(State.FAILED)
            self.set_exception(self.failure)
        else:
            self._enter(State.DONE)
            if self._outcome is not None:
                self.set_result(self._outcome[0])
        self.owner.ended(self)


class _Coroutine(Generic[_Result]):
    """A coroutine as work that is done once; closed where it was never begun."""

    def __init__(self, coroutine: Coroutine[Any, Any, _Result]) -> None:
        self._coroutine = coroutine

    def __call__(self) -> Coroutine[Any, Any, _Result]:
        return self._coroutine

    def close(self) -> None:
        self._coroutine.close()


def describe(error: BaseException) -> str:
    """Give an error in one line: its kind, its text, and where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    text = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_ERROR]
    if trace is not None:
        text += f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return hidden(text)


def where_of(task: asyncio.Task[Any]) -> str:
    """Give file, line and function that a task waits in: the innermost coroutine's."""
    found: Any = task.get_coro()
    frame = None
    while found is not None:
        frame = getattr(found, "cr_frame", None) or getattr(found, "gi_frame", None) or frame
        found = getattr(found, "cr_await", None) or getattr(found, "gi_yieldfrom", None)
    if frame is None:
        return ""
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_qualname}"


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


# The managed task in whose context code runs; helpers and callbacks inherit it.
CURRENT: ContextVar[ManagedTask[Any] | None] = ContextVar("tickwire_task", default=None)
