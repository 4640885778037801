"""The subscribe requests of one connection: those to be sent, in order, and those that wait.

Rules of this file
------------------
- A subscription is in one queue or in one request that waits, never in both.
- The order: what is to end, what has not been asked for, then what is asked for again, then
  suspects. A suspect waits until it is alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from tickwire.session.asking import Ask
from tickwire.venues.base import Subscription


class State(Enum):
    """How a subscription stands on the present connection."""

    TO_ASK = "to ask"
    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    SUSPENDED = "suspended"  # by us: not asked for


@dataclass(slots=True, eq=False)
class Wanted:
    """A subscription and what came of it.

    Parameters
    ----------
    subscription
        What is asked for.
    state
        How it stands.
    n_tries
        Requests without an answer, on this connection.
    n_refusals, n_deaths
        In a row: refusals, and connections that died while it was asked for.
    again_s
        When it is asked for again, while it is refused.
    kept_since_s
        When it was acknowledged.
    is_answered
        Whether it was acknowledged or refused on this connection.
    is_final
        Whether the venue said that it will not have it.
    text
        Why it is refused.
    """

    subscription: Subscription
    state: State = State.TO_ASK
    n_tries: int = 0
    n_refusals: int = 0
    n_deaths: int = 0
    again_s: float = 0.0
    kept_since_s: float = 0.0
    is_answered: bool = False
    is_final: bool = False
    text: str = ""


@dataclass(slots=True)
class Request:
    """One that waits for its answer; `waiting` are its subscriptions by key."""

    waiting: dict[str, Wanted]
    deadline_s: float
    is_suspect: bool
    n_asked: int = 0

    def __post_init__(self) -> None:
        self.n_asked = len(self.waiting)


@dataclass(slots=True)
class Requests:
    """What is forgotten with a connection.

    Parameters
    ----------
    at_once
        How many subscriptions one request may ask for.
    """

    at_once: int
    again: deque[list[Wanted]] = field(default_factory=deque)
    groups: deque[list[Wanted]] = field(default_factory=deque)
    suspects: deque[list[Wanted]] = field(default_factory=deque)
    ends: deque[list[Wanted]] = field(default_factory=deque)
    waiting: dict[int, Request] = field(default_factory=dict)
    n_answers: int = 0
    n_acknowledged: int = 0
    n_limits: int = 0
    all_answered: bool = False

    @property
    def may_ask(self) -> bool:
        """Whether there is something to ask for now, or to end."""
        if self.ends:
            return True
        if any(request.is_suspect for request in self.waiting.values()):
            return False
        return bool(self.groups or self.again or (self.suspects and not self.waiting))

    @property
    def is_again_next(self) -> bool:
        """Whether the next request asks again for what was acknowledged."""
        return bool(self.again) and not self.groups

    def queue(self, queue: deque[list[Wanted]], wanted: Iterable[Wanted]) -> None:
        """Put subscriptions into a queue, in groups that one request may have."""
        requests: dict[str, list[Wanted]] = {}
        for each in wanted:
            requests.setdefault(each.subscription.request, []).append(each)
        for given in requests.values():
            queue.extend(
                given[start : start + self.at_once] for start in range(0, len(given), self.at_once)
            )

    def queue_all(self, wanted: Iterable[Wanted]) -> None:
        """Queue all that is to be asked for on a new connection, suspects last."""
        to_ask = [each for each in wanted if each.state is State.TO_ASK]
        self.queue(self.groups, [each for each in to_ask if not each.n_deaths])
        self.queue(self.suspects, [each for each in to_ask if each.n_deaths == 1])
        self.suspects.extend([each] for each in to_ask if each.n_deaths > 1)

    def queue_due(self, wanted: Iterable[Wanted]) -> None:
        """Queue what was refused long enough ago; what killed a connection comes alone."""
        due = list(wanted)
        for each in due:
            each.state = State.TO_ASK
            each.n_tries = 0
        self.queue(self.groups, [each for each in due if not each.n_deaths])
        self.suspects.extend([each] for each in due if each.n_deaths)

    def halve(self, wanted: list[Wanted]) -> None:
        """Ask for what was refused in company in two halves, to find the guilty one."""
        middle = (len(wanted) + 1) // 2
        for half in (wanted[:middle], wanted[middle:]):
            if half:
                for each in half:
                    self.withdraw(each)
                    each.state = State.TO_ASK
                    each.n_tries = 0
                self.groups.append(half)

    def ask(self, request_id: int, end_id: int | None, deadline_s: float) -> Ask:
        """Take the next group out of its queue, as a request that waits.

        Parameters
        ----------
        request_id
            Its number.
        end_id
            The number of a request that ends them first; None where they need no end.
        deadline_s
            When an answer is late.
        """
        queue = self.groups or self.again or self.suspects
        is_suspect = queue is self.suspects
        group = queue.popleft()
        for each in group:
            each.state = State.ASKED
            each.n_tries += 1
        waiting = {each.subscription.key: each for each in group}
        self.waiting[request_id] = Request(waiting, deadline_s, is_suspect)
        return Ask(tuple(each.subscription for each in group), request_id, end_id)

    def withdraw(self, each: Wanted) -> None:
        """Take a subscription out of what waits, asked for or not."""
        for request_id, request in list(self.waiting.items()):
            found = request.waiting.pop(each.subscription.key, None)
            if found is not None and not request.waiting:
                del self.waiting[request_id]
        if each.state is State.TO_ASK:
            for queue in (self.groups, self.again, self.suspects):
                for group in list(queue):
                    if each in group:
                        group.remove(each)
                        if not group:
                            queue.remove(group)

    def withdraw_end(self, each: Wanted) -> None:
        """Let a subscription go on that was to end, where that was not asked for yet."""
        for group in list(self.ends):
            if each in group:
                group.remove(each)
                if not group:
                    self.ends.remove(group)
