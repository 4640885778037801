"""Pings that wait: which pong answers which, and what is given up."""

import asyncio

import pytest

from tickwire.net.pings import WAITING_PINGS, WaitingPings


async def test_a_pong_answers_all_older_pings_too() -> None:
    pings = WaitingPings(asyncio.get_running_loop())
    first, second, third = (pings.add(payload) for payload in (b"1", b"2", b"3"))
    pings.on_pong(b"unknown")
    assert not first.done()
    pings.on_pong(b"2")
    assert 0 <= second.result() <= first.result()
    assert not third.done()
    pings.check(b"2")
    with pytest.raises(ValueError, match="same payload"):
        pings.check(b"3")


async def test_past_a_bound_the_oldest_is_given_up() -> None:
    pings = WaitingPings(asyncio.get_running_loop())
    answers = [pings.add(b"%d" % i) for i in range(WAITING_PINGS + 1)]
    assert answers[0].cancelled()
    pings.on_pong(b"0")
    assert not any(answer.done() for answer in answers[1:])
    pings.on_pong(b"%d" % WAITING_PINGS)
    assert all(answer.result() >= 0 for answer in answers[1:])


async def test_the_end_fails_those_that_wait() -> None:
    pings = WaitingPings(asyncio.get_running_loop())
    answer = pings.add(b"")
    pings.end(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await answer


def test_a_payload_must_fit_a_control_frame() -> None:
    loop = asyncio.new_event_loop()
    pings = WaitingPings(loop)
    pings.check(bytes(125))
    with pytest.raises(ValueError, match="125"):
        pings.check(bytes(126))
    loop.close()
