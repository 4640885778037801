"""Faults in their time: which of them are in force now, and whom they strike.

Rules of this file
------------------
- The exchange, its connections and its REST server ask here at each occasion; `tick` strikes what
  strikes at a time. Nothing here does I/O.
- What is random comes from one generator with a seed, over connections in the order of their
  numbers, so that a storm can be had again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from tickwire.logs import get_logger
from tickwire.sim.faults import ONE, Fault, Occasion, parse
from tickwire.sim.truth_log import TruthLog

TICK_S = 0.01


class Struck(Protocol):
    """What the injector needs of a connection."""

    @property
    def number(self) -> int:
        """Counts connections up from 0."""

    @property
    def is_open(self) -> bool:
        """Whether it still is."""

    def streams(self) -> Iterator[tuple[str, str]]:
        """Give (channel, symbol) of each of its subscriptions."""

    def strike(self, fault: Fault) -> None:
        """Let a fault that strikes connections happen."""

    def thaw(self, fault: Fault) -> None:
        """End a fault that lasts."""


@dataclass(slots=True)
class Active:
    """A fault, and how far it has come.

    Parameters
    ----------
    fault
        What.
    given_s
        Monotonic; its times count from here.
    is_chosen
        Whether its target is any one connection.
    chosen
        The one connection, by number; -1 while none is.
    n_seen, n_struck
        Occasions, and those at which it struck.
    due_s
        When it strikes next, of what strikes at times.
    held
        Connections that are frozen or stalled by it.
    has_begun, is_over
        Whether its time has come, and gone.
    """

    fault: Fault
    given_s: float
    is_chosen: bool = False
    chosen: int = -1
    n_seen: int = 0
    n_struck: int = 0
    due_s: float = 0.0
    held: list[Struck] = field(default_factory=list)
    has_begun: bool = False
    is_over: bool = False

    def is_on(self, now_s: float) -> bool:
        """Whether its time is now."""
        fault = self.fault
        since_s = now_s - self.given_s
        return since_s >= fault.start_s and (fault.end_s is None or since_s < fault.end_s)

    def strikes(self) -> bool:
        """Count an occasion; whether it is one at which it strikes."""
        self.n_seen += 1
        fault = self.fault
        if self.n_seen % fault.nth == 0:
            self.n_struck += 1
            self.is_over = bool(fault.n) and self.n_struck >= fault.n
            return True
        return False


class Injector:
    """All that goes wrong at one simulator.

    Parameters
    ----------
    faults
        From the start on, as written.
    storm
        More of them, in the order of their times.
    seed
        Of what is random.
    counts
        Counts what strikes, by kind.
    """

    def __init__(
        self,
        faults: Iterable[str | Fault],
        storm: Iterator[Fault] | None,
        seed: int,
        counts: Counter[str],
    ) -> None:
        self._start_s = time.monotonic()
        self._random = Random(f"faults/{seed}")  # noqa: S311 - a storm, not a secret
        self._counts = counts
        self._log = get_logger("tickwire.sim")
        self.truth: TruthLog | None = None
        self._active: list[Active] = []
        self._storm = storm
        self._next = next(storm) if storm is not None else None
        self._connections: Sequence[Struck] = ()
        self._messages: list[Active] = []
        self.has_faults = storm is not None
        self.at_messages = False  # whether a data message can be struck now
        self.is_refusing = self.is_down = self.is_rest_dead = self.is_rest_stale = False
        self.backlog_bytes = 0
        self.skew_ms = 0
        for fault in faults:
            self.add(fault)

    def add(self, fault: str | Fault) -> None:
        """Give one more; its times count from now."""
        read = parse(fault) if isinstance(fault, str) else fault
        self.has_faults = True
        self._add(read, time.monotonic())

    def start(self) -> None:
        """Let the times of what was given before count from now."""
        self._start_s = time.monotonic()
        for active in self._active:
            active.given_s = self._start_s
        self.tick(())

    def tick(self, connections: Sequence[Struck]) -> None:
        """Begin, strike and end what is due.

        Parameters
        ----------
        connections
            Those that are open, by number.
        """
        now_s = time.monotonic()
        self._connections = connections
        while self._next is not None and now_s - self._start_s >= self._next.start_s - 1:
            self._add(self._next, self._start_s)
            assert self._storm is not None  # noqa: S101 - it gave this one
            self._next = next(self._storm)
        on: list[Active] = []
        for active in self._active:
            is_on = active.is_on(now_s) and not active.is_over
            if is_on and not active.has_begun:
                active.has_begun = True
                self._report("fault begins", active)
            if is_on and active.fault.kind.occasion is Occasion.TIME:
                self._strike_connections(active, now_s)
            if active.has_begun and not is_on and not active.fault.message:
                active.is_over = True
                for connection in active.held:
                    connection.thaw(active.fault)
                if active.fault.end_s is not None:
                    self._report("fault ends", active)
            if is_on:
                on.append(active)
        self._active = [active for active in self._active if not active.is_over]
        self._set_states(on)

    def _add(self, fault: Fault, given_s: float) -> None:
        is_chosen = ONE in fault.targets
        active = Active(fault, given_s, is_chosen, due_s=fault.start_s)
        self._active.append(active)
        if fault.kind.occasion is not Occasion.TIME:
            self._set_states([each for each in self._active if each.is_on(time.monotonic())])

    def _set_states(self, on: list[Active]) -> None:
        kinds = {active.fault.kind.name for active in on}
        self.is_refusing = "refuse" in kinds
        self.is_down = "down" in kinds
        self.is_rest_dead = "rest-dead" in kinds
        self.is_rest_stale = "rest-stale" in kinds
        backlogs = [int(each.fault.argument) for each in on if each.fault.name == "backlog"]
        self.backlog_bytes = min(backlogs, default=0)
        self.skew_ms = int(
            1000 * sum(float(each.fault.argument) for each in on if each.fault.name == "clock")
        )
        self._messages = [
            active
            for active in self._active
            if active.fault.kind.occasion is Occasion.MESSAGE or active.fault.message
        ]
        self.at_messages = bool(self._messages)

    def _strike_connections(self, active: Active, now_s: float) -> None:
        fault = active.fault
        if fault.message or (fault.kind.lasts and active.held and fault.every_s is None):
            return
        if fault.end_s is None and now_s - active.given_s < active.due_s:
            return
        struck = [one for one in self._connections if one.is_open and self._hits(active, one)]
        if not struck:
            return
        if active.is_chosen:
            struck = [self._random.choice(struck)]
        if not (fault.kind.lasts or active.strikes()):
            return
        for connection in struck:
            self._note(active, connection.number)
            connection.strike(fault)
        if fault.kind.lasts:
            active.held += struck
        if fault.every_s is not None:
            while active.due_s <= now_s - active.given_s:
                active.due_s += fault.every_s

    def _hits(self, active: Active, connection: Struck) -> bool:
        targets = [each for each in active.fault.targets if each != ONE]
        if not targets or f"#{connection.number}" in targets:
            return True
        return any(
            channel in targets or symbol in targets for channel, symbol in connection.streams()
        )

    # Occasions.

    def on_message(
        self, connection: Struck, number: int, channel: str, symbol: str
    ) -> Fault | None:
        """Say what becomes of a data message: a fault, or None where it is sent.

        Parameters
        ----------
        connection
            That it is for.
        number
            Of the message, counted over all connections from 1.
        channel, symbol
            Its stream.
        """
        now_s = time.monotonic()
        for active in self._messages:
            fault = active.fault
            if active.is_over or number < fault.message or not active.is_on(now_s):
                continue
            if active.is_chosen:
                if not self._is_chosen(active, connection):
                    continue
            elif not fault.fits(symbol, channel, connection.number):
                continue
            if active.strikes():
                # Of what strikes connections, the first one at its message is the only one.
                active.is_over |= fault.kind.occasion is Occasion.TIME
                self._note(active, connection.number, is_quiet=active.n_struck > 1)
                return fault
        return None

    def _is_chosen(self, active: Active, connection: Struck) -> bool:
        numbers = [one.number for one in self._connections if one.is_open]
        if active.chosen not in numbers:
            active.chosen = self._random.choice(numbers or [connection.number])
        return active.chosen == connection.number

    def on_upgrade(self, number: int) -> Fault | None:
        """Say what becomes of an opening handshake."""
        return self._next_of(Occasion.UPGRADE, "", "", number)

    def on_subscribe(self, number: int, channel: str, symbol: str) -> Fault | None:
        """Say what becomes of a subscribe of a connection."""
        return self._next_of(Occasion.SUBSCRIBE, channel, symbol, number)

    def on_rest(self) -> list[Fault]:
        """Say what becomes of a REST request: a delay or silence, and a status."""
        found = self._all_of(Occasion.REST, "", "", -1)
        status = next((fault for fault in found if fault.status), None)
        return [fault for fault in found if not fault.status] + ([status] if status else [])

    def _next_of(self, occasion: Occasion, channel: str, symbol: str, number: int) -> Fault | None:
        return next(iter(self._all_of(occasion, channel, symbol, number)), None)

    def _all_of(self, occasion: Occasion, channel: str, symbol: str, number: int) -> list[Fault]:
        now_s = time.monotonic()
        found: list[Fault] = []
        for active in self._active:
            fault = active.fault
            if fault.kind.occasion is not occasion or active.is_over or not active.is_on(now_s):
                continue
            if any(one.status for one in found) and fault.status:
                continue  # one status for one request; the next one has its turn later
            if fault.fits(symbol, channel, number) and active.strikes():
                self._note(active, number)
                found.append(fault)
                if occasion is not Occasion.REST:
                    break
        return found

    def note(self, name: str, number: int) -> None:
        """Count what a lasting fault has done to a connection."""
        self._counts[name] += 1
        self._log.info("fault", fault=name, client=number)
        if self.truth is not None:
            self.truth.event("fault", fault=name, connection=number)

    def _note(self, active: Active, number: int, *, is_quiet: bool = False) -> None:
        self._counts[active.fault.name] += 1
        if is_quiet:
            return
        values = {"client": number} if number >= 0 else {}
        self._log.info("fault", fault=active.fault.text, **values)
        if self.truth is not None:
            self.truth.event("fault", fault=active.fault.text, connection=number)

    def _report(self, event: str, active: Active) -> None:
        if active.fault.kind.lasts or active.fault.end_s is not None:
            self._log.info(event, fault=active.fault.text)
            if self.truth is not None:
                self.truth.event(event, fault=active.fault.text)
