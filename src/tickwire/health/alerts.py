"""Alerts: rules looked at once a second, and what is done when one holds.

Rules of this file
------------------
- Every alert is a line in the log; a command and a webhook come on top, each with a deadline, and
  one that fails is logged and counted and stops nothing.
- An alert that is an emergency is one as soon as its rule holds, whatever its hold-off.
- A rule that flaps does nothing again before its hold-off is over, nor says that it has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tickwire.clock import Clock, wall_ns
from tickwire.config import AlertSettings, Context
from tickwire.health.rules import PERCENTILES, Rule, parse_rule
from tickwire.logs import get_logger
from tickwire.net.awake import to_step_s
from tickwire.observe import Histogram, Metrics, Registry
from tickwire.redaction import shown_url
from tickwire.supervise import Failures, ManagedTask, cancel_all, spawn

LOOK_S = 1.0
COMMAND_S = 30.0
WEBHOOK_S = 10.0


@dataclass(slots=True)
class _Watched:
    """A rule and its past.

    Parameters
    ----------
    settings, rule
        What it is.
    since_s
        When each series began to hold.
    is_firing
        Whether the alert is on.
    sent_s
        When it was sent last.
    before
        Values at the last look, and when that was, for `rate`.
    buckets
        A histogram's counts at the last look.
    """

    settings: AlertSettings
    rule: Rule
    since_s: dict[tuple[str, ...], float] = field(default_factory=dict)
    is_firing: bool = False
    is_sent: bool = False
    sent_s: float = float("-inf")
    before: dict[tuple[str, ...], float] = field(default_factory=dict)
    before_s: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)


class Alerts:
    """The alerts of a feed.

    Parameters
    ----------
    feed
        Its name.
    settings
        Their sections.
    registry
        What they look at.
    clock
        Monotonic, s.
    on_emergency
        Called with the reason where an alert is an emergency.
    """

    def __init__(
        self,
        feed: str,
        settings: Sequence[AlertSettings],
        registry: Registry,
        clock: Clock,
        on_emergency: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._feed = feed
        self._registry = registry
        self._clock = clock
        self._on_emergency = on_emergency
        self.failures = Failures(metrics=Metrics(registry))
        self._log = get_logger("tickwire.alerts")
        self._watched = [_Watched(each, parse_rule(each.when)) for each in settings]
        metrics = Metrics(registry)
        self._fired = {e.name: metrics.counter("alerts", alert=e.name) for e in settings}
        self._errors = {e.name: metrics.counter("alert_errors", alert=e.name) for e in settings}
        self._firing = {e.name: metrics.gauge("alerts_firing", alert=e.name) for e in settings}
        self._sending: set[ManagedTask[None]] = set()

    @property
    def firing(self) -> list[str]:
        """The names of those that are on."""
        return [each.settings.name for each in self._watched if each.is_firing]

    async def run(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(to_step_s(asyncio.get_running_loop(), LOOK_S))

    async def close(self) -> None:
        """Give what is being sent a moment, and end."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=2.0)
            await cancel_all(late)

    def look(self) -> None:
        """Look at every rule."""
        for watched in self._watched:
            self._look_at(watched, self._clock())

    def _look_at(self, watched: _Watched, now_s: float) -> None:
        rule = watched.rule
        values = self._values(watched, now_s)
        holding = {labels: value for labels, value in values.items() if rule.holds(value)}
        watched.since_s = {
            labels: watched.since_s.get(labels, now_s) for labels in holding
        }  # what does not hold any more starts over
        due = {
            labels: value
            for labels, value in holding.items()
            if now_s - watched.since_s[labels] >= rule.hold_s
        }
        name = watched.settings.name
        if due and not watched.is_firing:
            watched.is_firing = True
            self._firing[name].set(1)
            if watched.settings.emergency:
                self._on_emergency(f"alert {name}: {watched.settings.when}")
            watched.is_sent = now_s - watched.sent_s >= watched.settings.hold_off_s
            if watched.is_sent:
                watched.sent_s = now_s
                self._fired[name].add()
                self._send(watched, "firing", due)
        elif not due and watched.is_firing:
            watched.is_firing = False
            self._firing[name].set(0)
            if watched.is_sent:
                self._send(watched, "resolved", {})

    def _values(self, watched: _Watched, now_s: float) -> dict[tuple[str, ...], float]:
        rule = watched.rule
        if rule.function in PERCENTILES:
            return self._percentile(watched, PERCENTILES[rule.function])
        figures = self._registry.figures(rule.metric.name)
        values = {labels: value for labels, value in figures if rule.takes(labels)}
        if rule.function != "rate":
            return values
        before, watched.before = watched.before, values
        since_s, watched.before_s = now_s - watched.before_s, now_s
        if since_s <= 0 or not before:
            return {}
        return {
            labels: (value - before[labels]) / since_s
            for labels, value in values.items()
            if labels in before
        }

    def _percentile(self, watched: _Watched, percent: float) -> dict[tuple[str, ...], float]:
        name, scale = watched.rule.metric.name, watched.rule.metric.scale
        now = {high: count for _, high, count in self._registry.merged(name).items()}
        before, watched.buckets = watched.buckets, now
        recent = Histogram()
        for high, count in now.items():
            if count > before.get(high, 0):
                recent.add(high, count - before.get(high, 0))
        return {(): recent.percentile(percent) * scale} if recent.count else {}

    def _send(self, watched: _Watched, state: str, due: dict[tuple[str, ...], float]) -> None:
        settings, names = watched.settings, watched.rule.metric.labels
        series = [
            {"labels": dict(zip(names, labels, strict=False)), "value": value}
            for labels, value in due.items()
        ]
        alert = {
            "feed": self._feed, "alert": settings.name, "state": state, "when": settings.when,
            "time_ns": wall_ns(), "series": series,
        }  # fmt: skip
        log = self._log.warning if state == "firing" else self._log.info
        log(f"alert {state}", alert=settings.name, when=settings.when, series=series)
        if settings.command is not None:
            self._spawn(settings, self._run_command(settings.command, alert))
        if settings.webhook is not None:
            self._spawn(settings, self._post(settings.webhook, alert))

    def _spawn(self, settings: AlertSettings, work: Any) -> None:
        task = spawn(f"alert {settings.name}", self._guarded(settings, work))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _guarded(self, settings: AlertSettings, work: Any) -> None:
        try:
            await work
        except Exception as error:  # no alert may end the feed
            self._errors[settings.name].add()
            why = str(error) or type(error).__name__
            self.failures.report(
                error, Context.HOOK, "alert not delivered",
                part=settings.name, log=self._log, alert=settings.name, error=why,
            )  # fmt: skip

    async def _run_command(self, command: Sequence[str], alert: dict[str, Any]) -> None:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TICKWIRE_ALERT": alert["alert"], "TICKWIRE_STATE": alert["state"]},
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                await process.communicate(json.dumps(alert).encode())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise RuntimeError(f"{command[0]} ended with exit code {process.returncode}")

    async def _post(self, url: str, alert: dict[str, Any]) -> None:
        aiohttp = await asyncio.to_thread(import_module, "aiohttp")  # seldom, and large
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, json=alert) as reply,
        ):
            if reply.status >= 300:
                raise RuntimeError(f"{shown_url(url)} answered {reply.status}")
