"""On a clock that only moves when somebody sleeps."""

import asyncio

import pytest

from tickwire.session.keepalive import watch_silence


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
