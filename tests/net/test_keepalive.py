"""On a clock that only moves when somebody sleeps."""

import asyncio
import time

import pytest

from tickwire.net.keepalive import watch_silence


class Time:
    def __init__(self) -> None:
        self.ns = 5_000_000_000

    def mono_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


async def test_sends_at_intervals_until_the_silence_is_too_long() -> None:
    time = Time()
    start = time.ns
    sent: list[float] = []
    heard = start

    async def send() -> None:
        nonlocal heard
        sent.append((time.ns - start) / 1e9)
        if len(sent) <= 3:
            heard = time.ns + 100_000_000

    silence = await watch_silence(
        lambda: heard, send, every_s=10, timeout_s=25, mono_ns=time.mono_ns, sleep=time.sleep
    )
    assert sent == [10.0, 20.0, 30.0, 40.0, 50.0]
    assert silence == pytest.approx(25.0)
    assert (time.ns - start) / 1e9 == pytest.approx(55.1)


async def test_listens_without_sending() -> None:
    time = Time()
    start = time.ns
    silence = await watch_silence(
        lambda: start, None, every_s=1, timeout_s=3, mono_ns=time.mono_ns, sleep=time.sleep
    )
    assert silence == pytest.approx(3.0)


async def test_neither_waits_for_ever() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await watch_silence(lambda: 0, None, every_s=0, timeout_s=0)


async def test_a_heartbeat_that_cannot_be_sent_does_not_hide_the_silence() -> None:
    """A peer that reads nothing keeps the send waiting; on the real clock."""
    cancelled = 0

    async def send() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    heard = time.monotonic_ns()
    async with asyncio.timeout(10):
        silence = await watch_silence(lambda: heard, send, every_s=0.01, timeout_s=0.1)
    assert silence >= 0.1
    assert cancelled == 1
