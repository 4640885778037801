"""What a connection sends later: behind each other, when it is due, or not at all."""

from __future__ import annotations

import asyncio

from tickwire.sim.delayed import Delayed

TEXTS = [b"%d" % number for number in range(20)]


async def test_a_jitter_keeps_the_order_and_a_delay_is_the_least() -> None:
    loop = asyncio.get_running_loop()
    written: list[tuple[float, bytes]] = []
    all_is_written = asyncio.Event()

    def write(data: bytes) -> None:
        written.append((loop.time(), data))
        if data == b"last":
            all_is_written.set()

    delayed = Delayed(write, 7)
    assert delayed.is_idle
    delayed.delay_s, delayed.jitter_s = 0.01, 0.02
    assert not delayed.is_idle
    began_s = loop.time()
    for text in TEXTS:
        delayed.add(text)
    assert written == []
    assert delayed.n_bytes == sum(map(len, TEXTS))
    delayed.delay_s = delayed.jitter_s = 0.0
    delayed.add(b"last")  # due at once, and behind what waits
    assert not delayed.is_idle
    await all_is_written.wait()
    assert [text for _, text in written] == [*TEXTS, b"last"]
    assert written[0][0] - began_s >= 0.01
    assert delayed.is_idle


async def test_what_is_held_waits_past_its_time() -> None:
    written: asyncio.Queue[bytes] = asyncio.Queue()
    delayed = Delayed(written.put_nowait, 1)
    delayed.is_held = True
    delayed.add(b"a")
    await asyncio.sleep(0.005)
    assert written.empty()
    delayed.release()
    assert await written.get() == b"a"
    assert delayed.n_bytes == 0


async def test_what_waits_is_written_at_once_or_forgotten() -> None:
    written: list[bytes] = []
    delayed = Delayed(written.append, 1)
    delayed.delay_s = 3600.0
    delayed.add(b"a")
    delayed.add(b"b")
    delayed.write_all()
    assert (written, delayed.n_bytes) == ([b"a", b"b"], 0)
    delayed.add(b"c")
    delayed.drop()
    delayed.write_all()
    assert (written, delayed.n_bytes) == ([b"a", b"b"], 0)
    delayed.drop()  # of nothing
