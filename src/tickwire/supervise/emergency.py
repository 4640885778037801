"""Emergency shutdown: the first reason, and the hooks that run beside the flush.

Rules of this file
------------------
- A reason can be declared from any thread; the first one counts. What shuts the feed down is
  called at once, and only then is anything logged.
- Hooks run at the same time, each under its own deadline; one that fails, hangs or ends late stops
  no other. A coroutine function runs in the loop, a plain one in a thread of its own: a coroutine
  that blocks the loop would hold up the others.
- What has become of each hook is kept: for the log, the summary and the last line.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from time import monotonic
from typing import Any

from tickwire.clock import wall_ns
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.redaction import hidden
from tickwire.supervise.tasks import in_thread, spawn

HOOK_S = 10.0  # the deadline of a hook that names none
CANCEL_S = 1.0  # and what a hook that was cancelled has to end
LONGEST_TEXT = 500

_log = get_logger("tickwire.emergency")


@dataclass(frozen=True, slots=True)
class EmergencyEvent:
    """What a hook gets.

    Parameters
    ----------
    feed
        The feed's name.
    reason
        Why it shuts down, in one line.
    time_ns
        When that was declared, ns since the epoch.
    deadline_s
        How long this hook has.
    """

    feed: str
    reason: str
    time_ns: int
    deadline_s: float


@dataclass(slots=True)
class HookResult:
    """What has become of a hook.

    Parameters
    ----------
    name
        Its name.
    state
        `running`, `done`, `failed`, or `late`: ended at its deadline.
    seconds
        How long it took.
    report
        What it returned, as text; the error where it failed.
    """

    name: str
    state: str = "running"
    seconds: float = 0.0
    report: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Hook:
    name: str
    function: Callable[..., Any]
    deadline_s: float


class Emergency:
    """The emergency shutdown of one feed.

    Parameters
    ----------
    feed
        Its name.

    Attributes
    ----------
    reason
        Why; empty as long as nothing was declared.
    results
        What has become of the hooks.
    """

    def __init__(self, feed: str) -> None:
        self.reason = ""
        self.results: list[HookResult] = []
        self._feed = feed
        self._time_ns = 0
        self._hooks: list[_Hook] = []
        self._followers: list[Callable[[str], None]] = []
        self._lock = threading.Lock()

    def add(self, function: Callable[..., Any], deadline_s: float, name: str = "") -> None:
        """Add a hook.

        Parameters
        ----------
        function
            A coroutine function, or a plain one. It gets an `EmergencyEvent`, unless it takes no
            argument.
        deadline_s
            How long it may take.
        name
            For log and summary; by default the function's.

        Raises
        ------
        TypeError
            It cannot be called.
        ValueError
            The deadline is none.
        """
        if not callable(function):
            if inspect.iscoroutine(function):
                function.close()
            raise TypeError("a hook is a coroutine function: give it without calling it")
        if not 0 < deadline_s < float("inf"):
            raise ValueError(f"deadline_s: is {deadline_s!r}, should be a time in seconds")
        default = getattr(function, "__qualname__", type(function).__name__)
        self._hooks.append(_Hook(name or default, function, deadline_s))

    def follow(self, callback: Callable[[str], None]) -> None:
        """Call back with the reason, at once and in the thread that declares it."""
        self._followers.append(callback)

    @property
    def longest_s(self) -> float:
        """The longest deadline of a hook."""
        return max((hook.deadline_s for hook in self._hooks), default=0.0)

    def declare(self, reason: str) -> bool:
        """Declare an emergency; from any thread.

        Parameters
        ----------
        reason
            One line.

        Returns
        -------
        bool
            Whether this was the first one.
        """
        reason = hidden(" ".join(reason.split()))[:LONGEST_TEXT] or "no reason was given"
        with self._lock:
            is_first = not self.reason
            if is_first:
                self.reason, self._time_ns = reason, wall_ns()
        if is_first:
            for callback in self._followers:
                callback(reason)
            _log.error("EMERGENCY: the feed shuts down", reason=reason)
        else:
            _log.error("another emergency", reason=reason)
        return is_first

    async def run(self, metrics: Metrics) -> None:
        """Run all hooks; returns when each has ended, failed, or reached its deadline."""
        self.results = [HookResult(hook.name) for hook in self._hooks]
        running = [
            spawn(hook.name, self._run_hook(hook, result))
            for hook, result in zip(self._hooks, self.results, strict=True)
        ]
        if running:
            await asyncio.wait(running)
        failed = [result for result in self.results if result.state != "done"]
        metrics.counter("emergency_hooks").add(len(self.results))
        metrics.counter("emergency_hook_failures").add(len(failed))

    async def _run_hook(self, hook: _Hook, result: HookResult) -> None:
        began_s = monotonic()
        event = EmergencyEvent(self._feed, self.reason, self._time_ns, hook.deadline_s)
        call = partial(hook.function, event) if _takes_event(hook.function) else hook.function
        work = spawn("call", _called(call))
        work.add_done_callback(lambda _: work.cancelled() or work.exception())  # later, too
        try:
            done, _ = await asyncio.wait([work], timeout=hook.deadline_s)
            if done:
                outcome = work.result()
                result.state = "done"
                result.report = "" if outcome is None else _text(str(outcome))
            else:
                result.state, result.report = "late", f"did not end within {hook.deadline_s:g} s"
                work.cancel()
                await asyncio.wait([work], timeout=CANCEL_S)
        except Exception as error:  # another's code
            result.state, result.report = "failed", _text(f"{type(error).__name__}: {error}")
        result.seconds = round(monotonic() - began_s, 3)
        log = _log.info if result.state == "done" else _log.error
        log(f"emergency hook {result.state}", hook=hook.name, report=result.report)


async def _called(call: Callable[[], Any]) -> Any:
    function = call.func if isinstance(call, partial) else call
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
    )
    outcome = call() if is_async else await in_thread(call)
    return await outcome if inspect.isawaitable(outcome) else outcome


def _takes_event(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of C, without a signature
        return True
    return any(
        each.kind is each.VAR_POSITIONAL
        or (each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
            and each.default is each.empty)
        for each in parameters
    )  # fmt: skip


def _text(text: str) -> str:
    return hidden(" ".join(text.split()))[:LONGEST_TEXT]
