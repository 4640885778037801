"""The task manager: every task of a feed under a name, and none takes another one down.

Rules of this file
------------------
- Nothing else of the feed creates tasks: what runs is found here, by name, and is reaped here.
- Errors are caught inside of each task. An `asyncio.TaskGroup` holds them all, and never sees an
  error: so its rule that one failure cancels the siblings takes no other source or sink down.
- A failure is acted upon first (state, callback, counter) and logged after.
- A *helper* (`spawn`) belongs to the task that awaits it, which gets its result and its error; it
  is listed while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from tickwire.clock import Sleep
from tickwire.config import Context
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.supervise.failures import Failures
from tickwire.supervise.managed_task import CURRENT, ManagedTask, Restart, State, TaskStatus

_Result = TypeVar("_Result")

STOP_S = 5.0  # how long a stop waits for tasks that were cancelled
MOST_ENDED = 256  # that are remembered

_log = get_logger("tickwire.tasks")


class _Helpers:
    """Helpers without a manager, as of a WebSocket client in a program of its own."""

    def __init__(self) -> None:
        self._running: set[ManagedTask[Any]] = set()  # strong references

    def create(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(coroutine, name=name)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def helping(self, task: ManagedTask[Any]) -> None:
        self._running.add(task)

    def restarting(
        self, task: ManagedTask[Any], failure: Exception | None, delay_s: float
    ) -> None: ...

    def ended(self, task: ManagedTask[Any]) -> None:
        self._running.discard(task)


class TaskManager:
    """Runs tasks under names, each by itself: none takes another one down.

    An async context manager; leaving cancels what still runs and waits for it. To wait for tasks
    instead, await them before.

    Parameters
    ----------
    name
        Of the manager, for the log.
    on_failure
        Called with a task that failed for good and its error, in the loop's thread.
    metrics
        What it counts by.
    failures
        Where failures are reported; by default they are counted and logged.
    vital
        Tells whether the feed cannot go on without a task: its failure has the context `feed`.
    sleep
        What waits between restarts.
    """

    def __init__(
        self,
        name: str = "tasks",
        *,
        on_failure: Callable[[ManagedTask[Any], Exception], None] | None = None,
        metrics: Metrics | None = None,
        failures: Failures | None = None,
        vital: Callable[[ManagedTask[Any]], bool] = lambda _: False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = name
        self.on_failure = on_failure
        self._sleep = sleep
        self._metrics = Metrics() if metrics is None else metrics
        self._failures = failures or Failures(metrics=self._metrics)
        self._vital = vital
        self._tasks: dict[str, ManagedTask[Any]] = {}
        self._helpers: set[ManagedTask[Any]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._host: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        for state in State:
            self._metrics.watch("tasks", partial(self._count, state), state=state.value)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {state}" for state, n in sorted(self._counts().items()))
        return f"<TaskManager {self.name}: {counts or 'no tasks'}>"

    async def __aenter__(self) -> TaskManager:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Make it ready for tasks; once."""
        if self._host is not None:
            raise RuntimeError("a task manager is started once")
        loop = asyncio.get_running_loop()
        entered: asyncio.Future[None] = loop.create_future()
        # The group lives in a task of its own: `start` and `stop` may be called by different tasks.
        self._host = loop.create_task(self._hold(entered), name=self.name)
        await entered

    @property
    def is_running(self) -> bool:
        """Whether it takes tasks."""
        return self._host is not None and not self._host.done()

    def spawn(
        self,
        name: str,
        work: Callable[[], Awaitable[_Result]],
        *,
        restart: Restart | str = Restart.NEVER,
    ) -> ManagedTask[_Result]:
        """Run an async function under a name.

        Parameters
        ----------
        name
            Not that of a task that runs.
        work
            Called without arguments for each start: an async function, not its coroutine.
        restart
            `never`, `on_failure`, or `always`: after a return, too. The first restart comes within
            half a second; delays then double up to 30 s, until a run has lasted a minute.

        Returns
        -------
        ManagedTask
            A future of the result.

        Raises
        ------
        RuntimeError
            The manager does not run.
        TypeError
            `work` is no function.
        ValueError
            A task of this name runs, or there is no such policy.
        """
        if not callable(work):
            if inspect.iscoroutine(work):
                work.close()
            raise TypeError(f"{name}: give an async function, not {type(work).__name__}")
        policy = Restart(restart)
        if name in self._tasks and not self._tasks[name].done():
            raise ValueError(f"a task {name!r} runs already")
        task = ManagedTask(name, work, policy, self)
        task.begin()
        self._tasks.pop(name, None)  # the new one comes last
        self._tasks[name] = task
        return task

    def tasks(self) -> list[ManagedTask[Any]]:
        """Give all tasks, those that have ended too, and the helpers that run."""
        return [*self._tasks.values(), *self._helpers]

    def status(self) -> list[TaskStatus]:
        """Give how each task stands, by name: plain data; in the loop's thread."""
        return sorted((task.status() for task in self.tasks()), key=lambda each: each.name)

    async def stop(self, timeout_s: float = STOP_S) -> list[str]:
        """Cancel every task and wait for its end; nothing happens the second time.

        Parameters
        ----------
        timeout_s
            How long to wait. A task that still runs then is reported and left.

        Returns
        -------
        list of str
            The names of tasks that have not ended.
        """
        if self._host is None or self._ending.is_set():
            return []
        mine = [task for task in _lineage() if task.owner is self]
        running = [task for task in self.tasks() if not task.done() and task not in mine]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=timeout_s)
        self._ending.set()
        left = [task.name for task in running if not task.done()]
        if left:
            _log.error("tasks did not end", tasks=", ".join(left), seconds=timeout_s)
        elif not mine:  # else it would wait for the task that waits here
            await asyncio.wait([self._host], timeout=timeout_s)
        return left

    # What its tasks tell (`Owner`).

    def create(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Make a task in the group."""
        if self._group is None or not self.is_running:
            coroutine.close()
            raise RuntimeError(f"{name}: the task manager does not run")
        return self._group.create_task(coroutine, name=name)

    async def wait(self, seconds: float) -> None:
        """Wait for a restart."""
        await self._sleep(seconds)

    def helping(self, task: ManagedTask[Any]) -> None:
        """Take note of a helper."""
        self._helpers.add(task)

    def restarting(self, task: ManagedTask[Any], failure: Exception | None, delay_s: float) -> None:
        """Count and log that a task is begun again after a delay."""
        self._metrics.counter("task_restarts", task=task.name).add()
        if failure is None:
            _log.info("task restarts", task=task.name, delay_s=round(delay_s, 3))
        else:
            self._report(task, failure, "task restarts", delay_s=round(delay_s, 3))

    def ended(self, task: ManagedTask[Any]) -> None:
        """Take note of a task that has ended for good."""
        if task.parent is not None:
            self._helpers.discard(task)
            return
        if task.failure is not None:
            task.exception()  # reported here: asyncio need not say that it was not asked for
            try:
                if self.on_failure is not None:
                    self.on_failure(task, task.failure)
            finally:
                self._metrics.counter("task_failures").add()
                self._report(task, task.failure, "task failed")
        ended = [name for name, each in self._tasks.items() if each.done()]
        for name in ended[:-MOST_ENDED]:
            del self._tasks[name]

    def _report(
        self, task: ManagedTask[Any], failure: Exception, event: str, **values: Any
    ) -> None:
        context = Context.FEED if self._vital(task) else Context.TASK
        self._failures.report(
            failure, context, event, part=task.name, log=_log,
            task=task.name, **values, error=task.last_error,
        )  # fmt: skip

    async def _hold(self, entered: asyncio.Future[None]) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            entered.set_result(None)
            await self._ending.wait()

    def _counts(self) -> Counter[str]:
        return Counter(task.state.value for task in list(self._tasks.values()))

    def _count(self, state: State) -> int:
        return self._counts()[state.value]


_unmanaged = _Helpers()


def spawn(name: str, coroutine: Coroutine[Any, Any, _Result]) -> ManagedTask[_Result]:
    """Begin a helper of the running task: listed with it, awaited and cancelled by it.

    Parameters
    ----------
    name
        What it does, in a word; its task's name goes before.
    coroutine
        What to run. Its error is its caller's business, and is not logged here.

    Returns
    -------
    ManagedTask
        A future of the result.
    """
    parent = CURRENT.get()
    while parent is not None and parent.done():  # a helper that opened what goes on without it
        parent = parent.parent
    owner: TaskManager | _Helpers = _unmanaged
    if parent is not None and parent.get_loop() is asyncio.get_running_loop():
        name = f"{parent.name}/{name}"
        if isinstance(parent.owner, TaskManager):
            owner = parent.owner
    else:
        parent = None
    task: ManagedTask[_Result] = ManagedTask(name, lambda: coroutine, Restart.NEVER, owner, parent)
    task.begin()
    owner.helping(task)
    task.add_done_callback(lambda _: coroutine.close())  # of one that was never begun
    return task


async def cancel_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended; their errors were their caller's business."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def unless_set(event: asyncio.Event, task: ManagedTask[_Result]) -> _Result | None:
    """Give what a task gives, or None when an event is set first; the task ends in any case."""
    either: list[asyncio.Future[Any]] = [task, spawn("stop", event.wait())]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_all(either)
    return None if task.cancelled() else task.result()


async def in_thread(function: Callable[[], _Result]) -> _Result:
    """Call a function in a thread of its own, which may hang without keeping the process.

    `asyncio.to_thread` lends a thread of a pool, which the end of the loop and of Python wait for.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def settle(result: tuple[_Result] | None, error: BaseException | None) -> None:
        if done.done():
            return
        if result is not None:
            done.set_result(result[0])
        elif error is not None:
            done.set_exception(error)

    def call() -> None:
        result, failure = None, None
        try:
            result = (function(),)
        except BaseException as error:  # the waiter gets it
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=call, name="call", daemon=True).start()
    return await done


def _lineage() -> list[ManagedTask[Any]]:
    """Give the running task, where it is a managed one, and those that it helps."""
    found = []
    task = CURRENT.get()
    while task is not None:
        found.append(task)
        task = task.parent
    return found
