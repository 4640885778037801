"""What is decided, from times that the test gives; then what is done, on the real clock."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from tickwire.net.awake import AwakeClock
from tickwire.net.keepalive import (
    UNREAD_LIMIT_S,
    UNREAD_WAIT_S,
    Beat,
    Dead,
    KeepAlive,
    Sleep,
    watch_silence,
)


def waits(step: Beat | Sleep | Dead) -> float | None:
    assert isinstance(step, Sleep)
    return step.seconds


def test_sends_at_intervals_until_the_silence_is_too_long() -> None:
    policy = KeepAlive(every_s=10, timeout_s=25)
    assert waits(policy.next_step(0, 0)) == 10
    assert policy.next_step(10, 10) == Beat()
    policy.sent(10)
    assert waits(policy.next_step(10, 9.9)) == 10
    assert policy.next_step(20, 19.9) == Beat()
    policy.sent(20)
    assert waits(policy.next_step(20, 19.9)) == pytest.approx(5.1)
    assert policy.next_step(25.1, 25) == Dead(25)


def test_listens_without_sending() -> None:
    policy = KeepAlive(every_s=0, timeout_s=3)
    assert waits(policy.next_step(0, 1)) == 2
    assert policy.next_step(2, 3) == Dead(3)


def test_without_either_it_waits_for_ever() -> None:
    assert waits(KeepAlive(every_s=0, timeout_s=0).next_step(0, 1e9)) is None


def test_what_has_come_is_read_before_a_peer_is_judged() -> None:
    policy = KeepAlive(every_s=0, timeout_s=3)
    assert waits(policy.next_step(5, 5, unread=True)) == UNREAD_WAIT_S
    assert waits(policy.next_step(5, 5, grace_s=0.3)) == 0.3
    assert policy.next_step(5, 5) == Dead(5)


def test_a_reader_that_stands_still_is_not_waited_for_without_end() -> None:
    silent_s = 3 + UNREAD_LIMIT_S
    policy = KeepAlive(every_s=0, timeout_s=3)
    assert policy.next_step(silent_s, silent_s, unread=True) == Dead(silent_s)


def probing() -> KeepAlive:
    return KeepAlive(every_s=25, timeout_s=60, probe_after_s=2, probe_timeout_s=2.5)


def test_a_silent_peer_that_has_talked_is_probed_and_then_dead() -> None:
    policy = probing()
    assert waits(policy.next_step(10, 0.5, has_talked=True)) == 1.5
    assert policy.next_step(12, 2, has_talked=True) == Beat()
    policy.sent(12)
    assert waits(policy.next_step(12, 2, has_talked=True)) == pytest.approx(2.5)
    assert policy.next_step(14.5, 4.5, has_talked=True) == Dead(4.5)


def test_whatever_comes_answers_a_probe_and_the_next_one_waits() -> None:
    policy = probing()
    assert policy.next_step(12, 2, has_talked=True) == Beat()
    policy.sent(12)
    assert waits(policy.next_step(12.2, 0.1, has_talked=True)) == pytest.approx(1.9)
    assert policy.next_step(14.1, 2.0, has_talked=True) == Beat()
    assert waits(policy.next_step(14.2, 2.1, has_talked=True)) == pytest.approx(2.4)


def test_a_probe_is_a_heartbeat() -> None:
    policy = probing()
    policy.next_step(0, 0)
    assert policy.next_step(24, 2, has_talked=True) == Beat()
    policy.sent(24)
    assert waits(policy.next_step(25, 0, has_talked=True)) == 2


def test_a_probed_peer_is_not_judged_before_what_has_come_is_read() -> None:
    policy = probing()
    policy.next_step(12, 2, has_talked=True)
    assert waits(policy.next_step(14.5, 4.5, has_talked=True, unread=True)) == UNREAD_WAIT_S
    assert waits(policy.next_step(14.5, 4.5, has_talked=True, grace_s=0.4)) == 0.4


def test_a_peer_that_never_talked_has_its_whole_time() -> None:
    policy = probing()
    assert waits(policy.next_step(10, 10)) == 2
    assert policy.next_step(60, 60) == Dead(60)


@dataclass
class Peer:
    heard_ns: int
    unread: bool = False

    def alive_ns(self, clock: AwakeClock) -> int:
        return self.heard_ns

    def has_unread(self) -> bool:
        return self.unread

    def has_talked(self) -> bool:
        return False


async def test_neither_waits_for_ever() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await watch_silence(Peer(0), None, every_s=0, timeout_s=0)


async def test_a_heartbeat_that_cannot_be_sent_does_not_hide_the_silence() -> None:
    """A peer that reads nothing keeps the send waiting."""
    cancelled = 0

    async def send() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    peer = Peer(time.monotonic_ns())
    async with asyncio.timeout(10):
        silence = await watch_silence(peer, send, every_s=0.01, timeout_s=0.1)
    assert silence >= 0.1
    assert cancelled == 1


async def test_a_peer_with_unread_bytes_is_waited_for() -> None:
    peer = Peer(time.monotonic_ns(), unread=True)
    watching = asyncio.ensure_future(watch_silence(peer, None, every_s=0, timeout_s=0.05))
    await asyncio.sleep(0.3)
    assert not watching.done()
    peer.unread = False
    assert await asyncio.wait_for(watching, 5) > 0.05
