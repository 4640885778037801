"""The emergency shutdown of a feed: intake stops, rings are flushed, hooks run, the run fails.

Rules of this file
------------------
- Hooks do not wait for the flush: what is CRITICAL may be a disk that takes nothing, and an order
  that should be cancelled does not wait for it. They begin as intake stops.
- The feed stops itself, whether its program waits in `run` or anywhere else.
- A hook may be an object that prepares itself: `start(feed)` is awaited when the feed starts, and
  its error is an error of the start; `stop()` when the feed ends, after the hook where it ran.
- The flush has a deadline (`FLUSH_S`); sinks that have not ended then are left behind.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tickwire.config import Config, EmergencySettings
from tickwire.config.objects import load_object
from tickwire.errors import ConfigError, EmergencyShutdown
from tickwire.ledger import Place
from tickwire.logs import get_logger
from tickwire.supervise import HOOK_S, Emergency, ManagedTask

if TYPE_CHECKING:
    from tickwire.feed.handler import FeedHandler
    from tickwire.feed.running import RunningFeed

FLUSH_S = 30.0
SHOWN_HOOKS = 3  # in the last line

STOP_HOOK_S = 5.0

_log = get_logger("tickwire.emergency")


@dataclass(frozen=True, slots=True)
class HookPlan:
    """A hook of the configuration: its name, what is called, and its deadline."""

    name: str
    hook: Callable[..., Any]
    deadline_s: float


def load_hooks(config: Config, problems: list[str]) -> tuple[HookPlan, ...]:
    """Load the hooks of a configuration; what is wrong with one is a line in `problems`."""
    found = []
    for index, settings in enumerate(config.emergencies):
        key = config.key("emergency", index)
        try:
            hook = _load(settings, config.folders)
        except ConfigError as error:
            problems.extend(_problem(config, key, wrong) for wrong in error.problems)
        else:
            name = settings.name or settings.hook.partition(":")[2]
            found.append(HookPlan(name, hook, settings.deadline_s))
    return tuple(found)


def _problem(config: Config, key: str, wrong: str) -> str:
    place, _, text = wrong.partition(": ")
    return config.problem(f"{key}.{place}", text)


def _load(settings: EmergencySettings, folders: Sequence[Path]) -> Callable[..., Any]:
    try:
        found = load_object(settings.hook, folders)
    except ConfigError as error:
        raise ConfigError([f"hook: {wrong}" for wrong in error.problems]) from None
    if isinstance(found, type):
        try:
            found = found(**settings.options)
        except ConfigError as error:
            raise ConfigError([f"options.{wrong}" for wrong in error.problems]) from None
        except Exception as error:  # another's class
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError([f"options: {settings.hook} cannot be made: {text}"]) from None
    elif settings.options:
        raise ConfigError([f"options: {settings.hook} is no class, and takes none"])
    if not callable(found):
        raise ConfigError([f"hook: {settings.hook} is a {type(found).__name__}, not callable"])
    return found


class EmergencyStop:
    """Shuts a feed down when an emergency is declared.

    Parameters
    ----------
    handler
        The feed.
    hooks
        Those of its configuration.
    on_begin
        Called first, in the loop's thread.

    Attributes
    ----------
    emergency
        Where it is declared, and the hooks.
    """

    def __init__(
        self, handler: FeedHandler, hooks: Sequence[HookPlan], on_begin: Callable[[], None]
    ) -> None:
        self.emergency = Emergency(handler.config.feed.name)
        self._handler = handler
        self._on_begin = on_begin
        self._prepared: list[Any] = []
        self._objects: list[Any] = []  # whose `start` is to be called
        self._feed: RunningFeed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hooks: ManagedTask[None] | None = None
        self.emergency.follow(self._declared)
        for plan in hooks:
            self.add(plan.hook, plan.deadline_s, plan.name)

    def add(self, hook: Callable[..., Any], deadline_s: float = HOOK_S, name: str = "") -> None:
        """Add a hook, before the feed starts where it is to be prepared."""
        self.emergency.add(hook, deadline_s, name)
        if hasattr(hook, "start"):
            if self._feed is not None:
                raise RuntimeError("a hook that prepares itself is given before the feed starts")
            self._objects.append(hook)

    @property
    def reason(self) -> str:
        """Why the feed shuts down; empty where it does not."""
        return self.emergency.reason

    @property
    def is_declared(self) -> bool:
        """Whether there is an emergency."""
        return bool(self.emergency.reason)

    def start(self, feed: RunningFeed) -> None:
        """Watch over a feed whose tasks run; in the loop's thread."""
        self._feed = feed
        self._loop = asyncio.get_running_loop()
        feed.pipeline.metrics.watch("emergency", lambda: self.is_declared)
        if self.is_declared:
            self._begin()

    async def prepare(self) -> None:
        """Let hooks prepare themselves.

        Raises
        ------
        TickwireError
            What one of them raises; others are stopped by `finish`.
        """
        for hook in self._objects:
            self._prepared.append(hook)
            await hook.start(self._handler)

    async def finish(self) -> None:
        """Wait until the hooks have ended, each at its deadline at the latest, and stop them."""
        if self.is_declared and self._feed is not None:
            self._begin()
        if self._hooks is not None:
            await asyncio.wait([self._hooks])
        while self._prepared:
            hook = self._prepared.pop()
            try:
                async with asyncio.timeout(STOP_HOOK_S):
                    await hook.stop()
            except Exception as error:  # another's code
                text = " ".join(f"{type(error).__name__}: {error}".split())
                _log.warning("an emergency hook was not stopped", hook=repr(hook), error=text)

    def to_dict(self) -> dict[str, Any] | None:
        """Give what the summary shows; None without an emergency."""
        if not self.is_declared:
            return None
        hooks = [result.to_dict() for result in self.emergency.results]
        return {"reason": self.emergency.reason, "hooks": hooks}

    def failure(self) -> EmergencyShutdown | None:
        """Give the error that the run ends with; its text is the last line."""
        if not self.is_declared:
            return None
        parts = [f"emergency shutdown: {self.emergency.reason}"]
        failed = [result for result in self.emergency.results if result.state != "done"]
        if failed:
            shown = [f"{each.name} {each.state}: {each.report}" for each in failed[:SHOWN_HOOKS]]
            more = f" and {len(failed) - SHOWN_HOOKS} more" * (len(failed) > SHOWN_HOOKS)
            n_all = len(self.emergency.results)
            parts.append(f"{len(failed)} of {n_all} hooks not done ({', '.join(shown)}{more})")
        undone = {} if self._feed is None else self._feed.uncommitted()
        n_rows = sum(sum(tables.values()) for tables in undone.values())
        if n_rows:
            parts.append(f"{n_rows:,} rows not committed: {json.dumps(undone)}")
        return EmergencyShutdown("; ".join(parts))

    def _declared(self, reason: str) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        feed = self._feed
        if feed is None or self._hooks is not None or not feed.tasks.is_running:
            return
        self._on_begin()
        metrics = feed.pipeline.metrics
        self._hooks = feed.tasks.spawn("emergency hooks", lambda: self.emergency.run(metrics))
        feed.pipeline.ledger.event("emergency", self.emergency.reason, Place(None))
        feed.tasks.spawn("emergency stop", self._handler.stop)
