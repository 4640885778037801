"""What is asked for and what came of it, on a clock that the test moves, without sockets."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.session.small_venue import subscriptions

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
from tickwire.session.subscriptions import (
    FIRST_CULPRIT_S,
    FIRST_REFUSED_S,
    FIRST_RETRY_S,
    LONGEST_REFUSED_S,
    Subscriptions,
)
from tickwire.venues.base import Reply, Subscription


class Venue:
    """A venue that answers each request as a function says, and a session that asks it."""

    def __init__(
        self,
        *keys: str,
        at_once: int = 1,
        delivers: Callable[[Subscription], bool] | None = None,
    ) -> None:
        self.now_s = 100.0
        self.asked: list[list[str]] = []
        self.events: list[Event] = []
        self.subscriptions = Subscriptions(
            subscriptions(*keys),
            at_once=at_once,
            rng=random.Random(1),
            delivers=delivers,
            clock=lambda: self.now_s,
        )

    def step(self, *, has_data: bool = False) -> Ask | Pause | Hopeless:
        step, events = self.subscriptions.next_step(has_data=has_data)
        self.events += events
        if isinstance(step, Ask):
            self.asked.append([each.key for each in step.subscriptions])
        return step

    def say(self, **words: object) -> None:
        self.events += self.subscriptions.on_reply(Reply(**words))  # type: ignore[arg-type] # the tests' own

    def ask_all(self) -> list[list[str]]:
        """Ask for all that can be asked for without an answer."""
        before = len(self.asked)
        while isinstance(self.step(), Ask):
            pass
        return self.asked[before:]

    def live(self, deadly: Callable[[list[str]], bool], *, n_steps: int = 100) -> bool:
        """Live through a connection whose server acknowledges, and dies at what is deadly."""
        self.subscriptions.connected()
        for _ in range(n_steps):
            step = self.step()
            if not isinstance(step, Ask):
                return True
            keys = [each.key for each in step.subscriptions]
            if deadly(keys):
                self.events += self.subscriptions.disconnected(died=True)
                return False
            self.say(acknowledged=tuple(keys))
        raise AssertionError("no end")

    def refusals(self) -> list[tuple[str, bool]]:
        return [(e.subscription.key, e.retry) for e in self.events if isinstance(e, Refused)]

    def acknowledged(self) -> list[str]:
        return [e.subscription.key for e in self.events if isinstance(e, Acknowledged)]

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds


def test_keys_are_acknowledged_one_by_one() -> None:
    venue = Venue("a", "b", "c", at_once=8)
    assert venue.ask_all() == [["a", "b", "c"]]
    venue.say(acknowledged=("b",))
    venue.say(acknowledged=("a", "unknown"))
    assert AllAnswered() not in venue.events
    venue.say(acknowledged=("c",))
    assert venue.events[-1] == AllAnswered()
    venue.say(acknowledged=("c",))
    assert venue.events.count(AllAnswered()) == 1


def test_a_request_id_answers_for_all_its_keys() -> None:
    venue = Venue(*"abcdefghij", at_once=8)
    assert venue.ask_all() == [list("abcdefgh"), ["i", "j"]]
    venue.say(request_id=2)
    venue.say(request_id=99)
    assert venue.acknowledged() == ["i", "j"]
    venue.say(request_id=1)
    assert venue.events[-1] == AllAnswered()


def test_the_guilty_one_of_a_refused_request_is_found() -> None:
    venue = Venue(*"abcdefgh", at_once=8)
    request_id = 0
    while isinstance(venue.step(), Ask):
        request_id += 1
        fine = "f" not in venue.asked[-1]
        venue.say(request_id=request_id, request_ok=fine, text="" if fine else "bad symbol")
    assert venue.refusals() == [("f", False)]
    assert sorted(venue.acknowledged()) == list("abcdegh")
    assert len(venue.asked) == 7


def test_refused_for_now_counts_as_answered_and_is_asked_again_soon() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(acknowledged=("a",))
    venue.say(refused=("b",), text="too fast", retry=True)
    assert venue.events[-1] == AllAnswered()
    assert venue.refusals() == [("b", True)]
    venue.pass_time(FIRST_RETRY_S)
    assert venue.ask_all() == [["b"]]


def test_what_is_refused_is_asked_for_again_later_each_time() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(acknowledged=("a",))
    delays_s = []
    for _ in range(12):
        venue.say(refused=("b",), text="no such symbol")
        refused = venue.events[-1] if isinstance(venue.events[-1], Refused) else venue.events[-2]
        assert isinstance(refused, Refused)
        assert not refused.retry
        delays_s.append(refused.again_s)
        pause = venue.step()
        assert isinstance(pause, Pause)
        assert pause.seconds == pytest.approx(refused.again_s)
        venue.pass_time(refused.again_s)
        assert venue.ask_all() == [["b"]]
    assert FIRST_REFUSED_S * 0.7 < delays_s[0] <= FIRST_REFUSED_S
    assert all(later > 1.4 * sooner for sooner, later in itertools.pairwise(delays_s[:6]))
    assert max(delays_s) <= LONGEST_REFUSED_S


def test_a_refusal_is_kept_over_a_reconnect() -> None:
    venue = Venue("a", "bad", "b")
    venue.ask_all()
    venue.say(acknowledged=("a", "b"))
    venue.say(refused=("bad",), text="no such symbol")
    venue.subscriptions.disconnected(died=True)
    venue.subscriptions.connected()
    assert venue.ask_all() == [["a"], ["b"]]


def test_a_refusal_that_comes_after_the_acknowledgement_counts() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(acknowledged=("a", "b"))
    venue.say(refused=("a",), text="Invalid subscription")
    assert venue.refusals() == [("a", False)]
    venue.say(refused=("a",), text="Invalid subscription")
    assert venue.refusals() == [("a", False)]
    assert [each.subscription.key for each in venue.subscriptions.refused] == ["a"]
    venue.pass_time(FIRST_REFUSED_S)
    assert venue.ask_all() == [["a"]]
    venue.say(acknowledged=("a",))
    assert venue.subscriptions.refused == []


def test_what_the_venue_ends_is_asked_for_again() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(ended=("a",))  # not acknowledged yet: of an earlier request
    venue.say(acknowledged=("a", "b"))
    assert venue.refusals() == []
    venue.say(ended=("a", "unknown"))
    assert venue.refusals() == [("a", True)]
    venue.pass_time(FIRST_RETRY_S)
    assert venue.ask_all() == [["a"]]


def test_what_brings_nothing_is_ended_and_asked_for_again() -> None:
    venue = Venue(*"abcd", at_once=2)
    venue.ask_all()
    venue.say(acknowledged=("a", "b", "c"))
    venue.subscriptions.ask_again(["a", "b", "c", "d", "unknown"])  # d is not acknowledged
    step = venue.step()
    assert isinstance(step, Ask)
    assert (step.end_id, step.request_id) == (3, 4)
    assert venue.ask_all() == [["c"]]
    assert venue.asked[-2:] == [["a", "b"], ["c"]]
    venue.say(ended=("a", "b"))  # the answer to what ended them
    assert venue.refusals() == []
    venue.say(acknowledged=("a", "b"))
    assert venue.acknowledged() == ["a", "b", "c", "a", "b"]


def test_what_is_unanswered_is_asked_again_alone_and_last() -> None:
    venue = Venue(*"abcd", at_once=3)
    assert venue.ask_all() == [["a", "b", "c"], ["d"]]
    venue.say(acknowledged=("a", "d"))
    venue.pass_time(10)
    assert venue.ask_all() == [["b"], ["c"]]
    assert Late(("b", "c")) in venue.events
    venue.say(acknowledged=("c",))
    venue.pass_time(10)
    venue.step()
    assert venue.refusals() == [("b", False)]
    assert venue.events[-1] == AllAnswered()
    venue.pass_time(FIRST_REFUSED_S)
    assert venue.ask_all() == [["b"]]


def test_a_venue_that_answers_nothing_is_left() -> None:
    venue = Venue("a", "b", at_once=2)
    venue.ask_all()
    venue.pass_time(10)
    venue.ask_all()
    venue.pass_time(10)
    step = venue.step()
    assert isinstance(step, Hopeless)
    assert "2 times: a" in step.text


def test_after_a_stall_an_answer_may_still_come() -> None:
    venue = Venue("a")
    venue.ask_all()
    venue.pass_time(10)
    step, events = venue.subscriptions.next_step(has_data=False, grace_s=0.4)
    assert (step, events) == (Pause(0.4), [])
    venue.say(acknowledged=("a",))
    assert venue.acknowledged() == ["a"]


def test_where_data_flows_and_nothing_is_answered_all_is_believed_to_deliver() -> None:
    venue = Venue("a", "b", at_once=2)
    for _ in range(2):
        while isinstance(venue.step(has_data=True), Ask):
            pass
        venue.pass_time(10)
    venue.step(has_data=True)
    assert venue.acknowledged() == ["a", "b"]
    warned = [event.text for event in venue.events if isinstance(event, Warned)]
    assert len(warned) == 2
    assert "its data flows" in warned[0]


def test_what_delivers_needs_no_answer_and_what_does_not_is_refused() -> None:
    venue = Venue("a", "b", at_once=2, delivers=lambda each: each.key == "a")
    for _ in range(2):
        while isinstance(venue.step(has_data=True), Ask):
            pass
        venue.pass_time(10)
    venue.step(has_data=True)
    assert venue.acknowledged() == ["a"]
    assert venue.refusals() == [("b", False)]


def test_words_without_a_key_are_told_and_what_waits_is_soon_asked_again() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(acknowledged=("a",))
    venue.say(text="Cannot track more", retry=True)
    [warned] = [event for event in venue.events if isinstance(event, Warned)]
    assert warned.text == "Cannot track more"
    assert warned.hold_s > 0
    venue.pass_time(2)
    assert venue.ask_all() == [["b"]]
    venue.say(text="maintenance at noon")
    assert venue.events[-1] == Warned("maintenance at noon")


def test_what_was_not_asked_for_is_not_kept() -> None:
    venue = Venue("a", "b", at_once=2)
    venue.ask_all()
    for start in range(0, 100_000, 10_000):
        strangers = tuple(f"x{number}" for number in range(start, start + 10_000))
        venue.say(acknowledged=strangers)
        venue.say(ended=strangers)
        venue.say(refused=(*strangers, *["a"] * 1000), text="no")
    assert venue.refusals() == [("a", False)]


def test_the_one_at_which_the_connection_dies_is_isolated() -> None:
    venue = Venue("a", "killer", "b", "c")
    deaths = 0
    while not venue.live(lambda keys: "killer" in keys):
        deaths += 1
        assert deaths < 5
    assert deaths == 2
    assert venue.refusals() == [("killer", False)]
    assert [event for event in venue.events if isinstance(event, Suspected)] == [
        Suspected(("killer",))
    ]
    # The second time it came last.
    assert venue.asked == [["a"], ["killer"], ["a"], ["b"], ["c"], ["killer"], ["a"], ["b"], ["c"]]
    [refused] = venue.subscriptions.refused
    assert "ended the connection" in refused.text
    venue.pass_time(FIRST_CULPRIT_S)
    assert venue.ask_all() == [["killer"]]


def test_the_one_of_a_request_of_many_is_isolated() -> None:
    venue = Venue(*[f"s{number}" for number in range(8)], "killer", at_once=3)
    deaths = 0
    while not venue.live(lambda keys: "killer" in keys):
        deaths += 1
        assert deaths < 6
    assert deaths == 3
    assert venue.refusals() == [("killer", False)]
    assert len({*venue.acknowledged()}) == 8


def test_a_culprit_that_dies_again_is_asked_for_later_each_time() -> None:
    venue = Venue("a", "killer")
    delays_s = []
    for _ in range(40):
        if venue.live(lambda keys: "killer" in keys):
            venue.pass_time(venue.subscriptions.refused[0].again_s - venue.now_s)
            venue.step()
            venue.events += venue.subscriptions.disconnected(died=True)
        delays_s = [event.again_s for event in venue.events if isinstance(event, Refused)]
    assert FIRST_CULPRIT_S * 0.7 < delays_s[0] <= FIRST_CULPRIT_S
    assert delays_s[2] > 2 * delays_s[0]
    assert max(delays_s) <= LONGEST_REFUSED_S


def test_a_network_that_fails_makes_no_culprit() -> None:
    venue = Venue("a", "b", "c")
    for _ in range(10):  # it dies before anything is acknowledged
        assert not venue.live(lambda keys: True)
    assert venue.refusals() == []
    assert venue.live(lambda keys: False)
    assert sorted(venue.acknowledged()) == ["a", "b", "c"]


def test_an_end_of_our_own_makes_no_suspect() -> None:
    venue = Venue("a", "b")
    for _ in range(5):
        venue.subscriptions.connected()
        venue.step()
        venue.say(acknowledged=("a",))
        venue.step()
        assert venue.subscriptions.disconnected(died=False) == []
    assert venue.asked == [["a"], ["b"]] * 5


def test_a_suspect_is_alone_while_it_waits() -> None:
    venue = Venue("a", "killer", "b")
    venue.live(lambda keys: "killer" in keys)
    venue.subscriptions.connected()
    assert venue.ask_all() == [["a"], ["b"]]
    venue.say(acknowledged=("a", "b"))
    assert venue.ask_all() == [["killer"]]
    venue.say(refused=("a",), text="too fast", retry=True)
    venue.pass_time(FIRST_RETRY_S)
    assert venue.ask_all() == []
    venue.say(acknowledged=("killer",))
    assert venue.ask_all() == [["a"]]


def test_only_where_nothing_was_ever_to_be_had_it_is_hopeless() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(refused=("a",), text="no")
    assert not venue.subscriptions.is_hopeless
    venue.say(refused=("b",), text="no")
    assert venue.subscriptions.is_hopeless
    other = Venue("a")
    other.ask_all()
    other.say(acknowledged=("a",))
    other.say(refused=("a",), text="no")
    assert not other.subscriptions.is_hopeless
    assert not Venue().subscriptions.is_hopeless


def test_without_subscriptions_all_is_answered_at_once() -> None:
    venue = Venue()
    assert venue.step() == Pause(None)
    assert venue.events == [AllAnswered()]


def test_what_is_suspended_is_ended_and_not_asked_for_until_it_is_resumed() -> None:
    venue = Venue("a", "b", "c", at_once=2)
    venue.ask_all()
    venue.say(acknowledged=("a", "b"))
    assert [each.key for each in venue.subscriptions.suspend(["b", "c", "unknown"])] == ["b", "c"]
    assert venue.subscriptions.suspend(["b"]) == []
    step = venue.step()
    assert isinstance(step, Leave)
    assert [each.key for each in step.subscriptions] == ["b", "c"]
    assert isinstance(venue.step(), Pause)
    assert venue.events[-1] == AllAnswered()
    venue.say(acknowledged=("b", "c"), text="")  # that they have been ended
    venue.say(refused=("c",), text="late")
    assert (venue.acknowledged(), venue.refusals()) == (["a", "b"], [])
    venue.subscriptions.connected()
    assert venue.ask_all() == [["a"]]
    venue.say(acknowledged=("a",))
    assert [each.key for each in venue.subscriptions.resume(["a", "b", "c"])] == ["b", "c"]
    assert venue.ask_all() == [["b", "c"]]
    venue.say(acknowledged=("b", "c"))
    assert venue.acknowledged()[-2:] == ["b", "c"]


def test_what_is_resumed_at_once_is_not_ended() -> None:
    venue = Venue("a", "b")
    venue.ask_all()
    venue.say(acknowledged=("a", "b"))
    venue.subscriptions.suspend(["a", "b"])
    venue.subscriptions.resume(["b"])
    step = venue.step()
    assert isinstance(step, Leave)
    assert [each.key for each in step.subscriptions] == ["a"]
    assert venue.ask_all() == [["b"]]


def test_a_request_asks_for_what_may_share_one() -> None:
    one, other = (
        [replace(each, request=request) for each in subscriptions(*keys)]
        for request, keys in (("x", "ace"), ("y", "bd"))
    )
    asked = Subscriptions([one[0], other[0], *one[1:], *other[1:]], at_once=2)
    found = []
    while isinstance(step := asked.next_step(has_data=False)[0], Ask):
        found.append([each.key for each in step.subscriptions])
    assert found == [["a", "c"], ["e"], ["b", "d"]]


def test_a_subscription_of_two_tables_is_asked_for_once() -> None:
    (one,) = subscriptions("a")
    asked = Subscriptions([one, replace(one, table="tickers")])
    step, _ = asked.next_step(has_data=False)
    assert isinstance(step, Ask)
    assert len(step.subscriptions) == 1
    asked.on_reply(Reply(request_id=step.request_id))
    asked.ask_again(["a", "a"])
    assert isinstance(asked.next_step(has_data=True)[0], Ask)
    assert isinstance(asked.next_step(has_data=True)[0], Pause)
