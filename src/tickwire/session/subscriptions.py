"""What a session asks a venue for, and what came of it: over all connections, without any I/O.

Rules of this file
------------------
- Every subscription is asked for, in requests of as many as the venue allows. The connection counts
  as subscribed when each has been acknowledged or refused once.
- What gets no answer in time is asked again, alone and after the others. If that gets none either,
  it is refused; where the venue has answered nothing at all and no data flows, the connection is no
  good.
- What was asked for and not answered when a connection died is suspected. Suspects come last, one
  request at a time; a request of several that dies again is taken apart. Who is alone when the
  connection dies again, while the venue took others, is refused: it is the culprit.
- What is refused is asked for again, later each time: soon where the venue has reached a limit,
  from `FIRST_REFUSED_S` to `LONGEST_REFUSED_S` where it does not want it.
- A venue may take an acknowledgement back: by a late refusal, or by ending the subscription.
- What is suspended is ended and not asked for, until it is resumed; it counts as answered.
- What was acknowledged can be asked for again (`ask_again`): ended first, where the venue can.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence

from tickwire.clock import Clock
from tickwire.session.asking import (
    Acknowledged,
    AllAnswered,
    Ask,
    Event,
    Hopeless,
    Late,
    Leave,
    Pause,
    Refused,
    Suspected,
    Warned,
)
from tickwire.session.requests import Requests, State, Wanted
from tickwire.supervise import Backoff
from tickwire.venues.base import Reply, Subscription

MAX_TRIES = 2  # of a request without an answer
DEATHS_TO_PROVE = 2
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0  # past a limit of the venue
FIRST_REFUSED_S, LONGEST_REFUSED_S = 30.0, 3600.0
FIRST_CULPRIT_S = 120.0  # each attempt costs the others their connection
KEPT_S = 60.0  # an acknowledgement that was kept for so long ends a row of refusals
# An error that names nothing refuses one of the requests that wait: those that it was not are
# answered by then.
UNNAMED_S = 2.0


class Subscriptions:
    """The subscriptions of a session.

    Parameters
    ----------
    subscriptions
        What to ask for.
    at_once
        How many one request may ask for.
    reply_timeout_s
        How long to wait for an answer.
    rng
        Gives the jitter.
    delivers
        Tells whether rows of a subscription come: then no answer is needed. Left out: where data
        flows and the venue answers nothing, each is believed to deliver.
    clock
        Monotonic, seconds; without the stalls of the loop.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        *,
        at_once: int = 1,
        reply_timeout_s: float = 10.0,
        rng: random.Random | None = None,
        delivers: Callable[[Subscription], bool] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.clock = clock
        # Keys come from the network: others than these are not kept.
        self.wanted = {each.key: Wanted(each) for each in subscriptions}
        self._at_once = max(1, at_once)
        self._delivers = delivers
        self._reply_timeout_s = reply_timeout_s
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._next_id = 1
        self._open = Requests(self._at_once)
        self._was_acknowledged = False  # any, ever
        self.connected()

    @property
    def refused(self) -> list[Wanted]:
        """Those that are refused now."""
        return [each for each in self.wanted.values() if each.state is State.REFUSED]

    @property
    def is_hopeless(self) -> bool:
        """Whether the venue wants none of them, and never wanted any."""
        return (
            bool(self.wanted)
            and not self._was_acknowledged
            and all(each.state is State.REFUSED and each.is_final for each in self.wanted.values())
        )

    def connected(self) -> None:
        """Begin with a new connection: all that is not refused is asked for, suspects last."""
        self._open = Requests(self._at_once)
        for each in self.wanted.values():
            is_out = each.state in (State.REFUSED, State.SUSPENDED)
            each.is_answered = is_out
            each.n_tries = 0
            if not is_out:
                each.state = State.TO_ASK
        self._open.queue_all(self.wanted.values())

    def ask_again(self, keys: Iterable[str]) -> None:
        """Ask again for what was acknowledged and brings nothing."""
        found = self._known(keys)
        silent = [each for each in found if each.state is State.ACKNOWLEDGED]
        for each in silent:
            each.state = State.TO_ASK
            each.n_tries = 0
        self._open.queue(self._open.again, silent)

    @property
    def suspended(self) -> list[Wanted]:
        """Those that are suspended."""
        return [each for each in self.wanted.values() if each.state is State.SUSPENDED]

    def suspend(self, keys: Iterable[str]) -> list[Subscription]:
        """End subscriptions and ask for them no more; give those that were not suspended."""
        found = self._known(keys)
        found = [each for each in found if each.state is not State.SUSPENDED]
        to_end = [each for each in found if each.state in (State.ACKNOWLEDGED, State.ASKED)]
        for each in found:
            self._open.withdraw(each)
            each.state = State.SUSPENDED
            each.is_answered = True
        self._open.queue(self._open.ends, to_end)
        return [each.subscription for each in found]

    def resume(self, keys: Iterable[str]) -> list[Subscription]:
        """Ask for suspended subscriptions again; give them."""
        found = self._known(keys)
        found = [each for each in found if each.state is State.SUSPENDED]
        for each in found:
            self._open.withdraw_end(each)
            each.state = State.TO_ASK
            each.n_tries = 0
        self._open.queue(self._open.groups, found)
        return [each.subscription for each in found]

    def may_ask(self) -> bool:
        """Whether the next step is a request."""
        self._take_due(self.clock())
        return self._open.may_ask

    def disconnected(self, *, died: bool) -> list[Event]:
        """Note that the connection has ended.

        Parameters
        ----------
        died
            Whether the other side ended it, so that what it was asked for may be why.
        """
        events: list[Event] = []
        requests = list(self._open.waiting.values())
        self._open.waiting.clear()
        is_alone = len(requests) == 1 and requests[0].n_asked == 1
        asked = [each for request in requests for each in request.waiting.values()]
        for each in asked:
            each.state = State.TO_ASK
            if not died:
                continue
            each.n_deaths += 1
            if is_alone and each.n_deaths >= DEATHS_TO_PROVE and self._open.n_acknowledged:
                text = f"the venue ended the connection at its subscribe, {each.n_deaths} times"
                events.append(self._refuse(each, text, FIRST_CULPRIT_S, LONGEST_REFUSED_S))
                each.n_deaths = 1  # asked for alone and last again
        suspects = [each.subscription.key for each in asked if each.state is State.TO_ASK]
        if died and suspects:
            events.append(Suspected(tuple(suspects)))
        return events

    def next_step(
        self, *, has_data: bool, grace_s: float = 0.0
    ) -> tuple[Ask | Leave | Pause | Hopeless, list[Event]]:
        """Give what to do, and what happened because time has passed.

        Parameters
        ----------
        has_data
            Whether data has come on the connection.
        grace_s
            How long no answer counts as late, because the loop stood still.
        """
        now_s = self.clock()
        self._take_due(now_s)
        events: list[Event] = []
        if grace_s <= 0:
            text = self._expire(now_s, has_data, events)
            if text:
                return Hopeless(text), events
        self._note_all_answered(events)
        opened = self._open
        if opened.ends:
            group = opened.ends.popleft()
            return Leave(tuple(each.subscription for each in group), self._number()), events
        if opened.may_ask:
            end_id = self._number() if opened.is_again_next else None
            request = opened.ask(self._number(), end_id, now_s + self._reply_timeout_s)
            return request, events
        times_s = [each.deadline_s for each in opened.waiting.values()]
        times_s += [refused.again_s for refused in self.refused]
        if not times_s:
            return Pause(None), events
        return Pause(max(0.0, grace_s, min(times_s) - now_s)), events

    def on_reply(self, reply: Reply) -> list[Event]:
        """Take an answer of the venue; give what it means."""
        events: list[Event] = []
        accepted = self._named(reply.acknowledged)
        refused = self._named(reply.refused)
        in_company: list[Wanted] = []
        request = self._open.waiting.get(reply.request_id) if reply.request_id is not None else None
        if request is not None:
            waiting = list(request.waiting.values())
            if reply.request_ok:
                accepted += waiting
            elif len(waiting) > 1 and not reply.retry:
                in_company = waiting
            else:
                refused += waiting
        self._open.n_answers += bool(accepted or refused or in_company)
        for each in accepted:
            self._acknowledge(each, events)
        self._open.halve(in_company)
        for each in refused:
            if each.state is State.REFUSED:
                continue  # the venue repeats itself
            if reply.retry:
                refusal = self._refuse(each, reply.text, FIRST_RETRY_S, LONGEST_RETRY_S, soon=True)
            else:
                refusal = self._refuse(
                    each, reply.text, FIRST_REFUSED_S, LONGEST_REFUSED_S, final=True
                )
            events.append(refusal)
        for key in dict.fromkeys(reply.ended):
            ended = self.wanted.get(key)
            if ended is not None and ended.state is State.ACKNOWLEDGED:
                text = reply.text or "the venue ended the subscription"
                events.append(
                    self._refuse(ended, text, FIRST_RETRY_S, LONGEST_REFUSED_S, soon=True)
                )
        is_named = accepted or refused or in_company or reply.acknowledged or reply.ended
        if reply.text and not is_named:
            events.append(self._on_unnamed(reply))
        self._note_all_answered(events)
        return events

    def _on_unnamed(self, reply: Reply) -> Warned:
        """Take words that name nothing: one of the requests that wait may be meant."""
        soon_s = self.clock() + min(UNNAMED_S, self._reply_timeout_s)
        for request in self._open.waiting.values():
            request.deadline_s = min(request.deadline_s, soon_s)
        if not reply.retry:
            return Warned(reply.text)
        # A limit: whatever was asked, asking on now would not help.
        self._open.n_limits += 1
        held_s = self._delay_s(self._open.n_limits, FIRST_RETRY_S, LONGEST_RETRY_S)
        return Warned(reply.text, held_s)

    def _named(self, keys: Iterable[str]) -> list[Wanted]:
        """Give what an answer is about; of what is suspended nothing is believed any more."""
        return [each for each in self._known(keys) if each.state is not State.SUSPENDED]

    def _known(self, keys: Iterable[str]) -> list[Wanted]:
        return [self.wanted[key] for key in dict.fromkeys(keys) if key in self.wanted]

    def _number(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _take_due(self, now_s: float) -> None:
        """Ask again for what was refused long enough ago."""
        self._open.queue_due([each for each in self.refused if each.again_s <= now_s])

    def _expire(self, now_s: float, has_data: bool, events: list[Event]) -> str:
        """Take what has got no answer in time; give why the connection is no good, if it is."""
        for request_id, request in list(self._open.waiting.items()):
            if request.deadline_s > now_s:
                continue
            del self._open.waiting[request_id]
            late = []
            for each in list(request.waiting.values()):
                if self._is_delivering(each, has_data):
                    words = f"no answer to the subscribe request for {each.subscription.key}"
                    events.append(Warned(f"{words}; its data flows"))
                    self._acknowledge(each, events)
                else:
                    late.append(each)
            if late:
                events.append(Late(tuple(each.subscription.key for each in late)))
            given_up = [each for each in late if each.n_tries >= MAX_TRIES]
            if given_up and not (has_data or self._open.n_answers):
                keys = ", ".join(each.subscription.key for each in given_up[:3])
                return f"no answer to a subscribe request, {MAX_TRIES} times: {keys}"
            for each in given_up:
                text = f"no answer to its subscribe request, {MAX_TRIES} times"
                events.append(self._refuse(each, text, FIRST_REFUSED_S, LONGEST_REFUSED_S))
            for each in late:
                if each.state is State.ASKED:
                    each.state = State.TO_ASK
                    self._open.groups.append([each])
        return ""

    def _is_delivering(self, each: Wanted, has_data: bool) -> bool:
        if self._delivers is not None:
            return self._delivers(each.subscription)
        return has_data and not self._open.n_answers and each.n_tries >= MAX_TRIES

    def _acknowledge(self, each: Wanted, events: list[Event]) -> None:
        self._open.withdraw(each)
        each.state = State.ACKNOWLEDGED
        each.kept_since_s = self.clock()
        each.n_deaths = 0
        each.is_answered = True
        each.is_final = False
        self._open.n_acknowledged += 1
        self._was_acknowledged = True
        events.append(Acknowledged(each.subscription))

    def _refuse(
        self,
        each: Wanted,
        text: str,
        first_s: float,
        longest_s: float,
        *,
        soon: bool = False,
        final: bool = False,
    ) -> Refused:
        now_s = self.clock()
        if each.state is State.ACKNOWLEDGED and now_s - each.kept_since_s >= KEPT_S:
            each.n_refusals = 0
        self._open.withdraw(each)
        each.n_refusals += 1
        delay_s = self._delay_s(each.n_refusals, first_s, longest_s)
        each.state = State.REFUSED
        each.again_s = now_s + delay_s
        each.is_answered = True
        each.is_final = final
        each.text = text
        return Refused(each.subscription, text, soon, delay_s)

    def _delay_s(self, n_failures: int, first_s: float, longest_s: float) -> float:
        backoff = Backoff(first_s, longest_s, at_once=0, jitter=0.25, rng=self._rng)
        return backoff.delay_s(n_failures)

    def _note_all_answered(self, events: list[Event]) -> None:
        if not self._open.all_answered and all(each.is_answered for each in self.wanted.values()):
            self._open.all_answered = True
            events.append(AllAnswered())
