"""The barrier, the slots and the gates, from the loop and from other threads."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from tickwire.supervise import Coordinator, spawn
from tickwire.supervise.coordination import Slots


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.001)


async def test_all_are_ready_when_the_last_part_has_arrived() -> None:
    coordinator = Coordinator(["a", "b"])
    waiting = [spawn("wait", coordinator.ready()) for _ in range(3)]
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(coordinator.wait_ready(20)))
    thread.start()
    coordinator.arrive("a")
    coordinator.arrive("a")
    coordinator.arrive("other")
    await asyncio.sleep(0.01)
    assert (coordinator.missing, coordinator.is_ready) == (["b"], False)
    assert not any(task.done() for task in waiting)
    arriving = threading.Thread(target=coordinator.arrive, args=["b"])  # from another thread
    arriving.start()
    async with asyncio.timeout(20):
        for task in waiting:
            await task
    await asyncio.to_thread(thread.join)
    arriving.join()
    assert seen == [True]
    await coordinator.ready()
    assert repr(coordinator) == "<Coordinator: missing none, paused none>"


async def test_a_thread_waits_no_longer_than_it_wants() -> None:
    coordinator = Coordinator(["a"])
    coordinator.pause("x")
    assert not await asyncio.to_thread(coordinator.wait_ready, 0.01)
    assert not await asyncio.to_thread(coordinator.wait_running, "x", 0.01)


async def test_what_would_block_the_loop_is_refused() -> None:
    coordinator = Coordinator()
    with pytest.raises(RuntimeError, match="would block the event loop"):
        coordinator.wait_ready()
    with pytest.raises(RuntimeError, match="would block the event loop"), coordinator.changing:
        pass
    assert coordinator.changing.n_free == 1


async def test_never_more_are_inside_than_there_are_slots() -> None:
    slots = Slots(3)
    inside, most = [0], [0]
    guard = threading.Lock()

    def enter(n: int) -> None:
        with guard:
            inside[0] += n
            most[0] = max(most[0], inside[0])

    async def coroutine() -> None:
        async with slots:
            enter(1)
            await asyncio.sleep(0.001)
            enter(-1)

    def thread() -> None:
        for _ in range(5):
            with slots:
                enter(1)
                time.sleep(0.001)
                enter(-1)

    threads = [threading.Thread(target=thread) for _ in range(4)]
    for each in threads:
        each.start()
    tasks = [spawn("inside", coroutine()) for _ in range(30)]
    async with asyncio.timeout(20):
        for task in tasks:
            await task
    for each in threads:
        await asyncio.to_thread(each.join)
    assert most == [3]
    assert slots.n_free == 3
    with pytest.raises(ValueError, match="at least 1"):
        Slots(0)


async def test_who_is_cancelled_while_it_waits_takes_no_slot() -> None:
    lock = Slots()
    async with lock:
        waiter = spawn("wait", lock.__aenter__())
        await asyncio.sleep(0.01)
        waiter.cancel()
        await asyncio.wait([waiter])
    assert lock.n_free == 1
    async with asyncio.timeout(1), lock:
        pass


async def test_a_gate_is_closed_and_opened_by_name() -> None:
    coordinator = Coordinator()
    await coordinator.running("x")
    coordinator.pause("x")
    await coordinator.running("y")
    assert coordinator.paused == ["x"]
    waiting = spawn("wait", coordinator.running("x"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await asyncio.to_thread(coordinator.resume, "x")
    async with asyncio.timeout(20):
        await waiting
    assert await asyncio.to_thread(coordinator.wait_running, "x", 1)


async def test_heavy_work_runs_in_threads_within_the_slots() -> None:
    coordinator = Coordinator(heavy_slots=2)
    running, most = [0], [0]
    guard = threading.Lock()

    def work(number: int) -> int:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with guard:
            running[0] -= 1
        return number * 2

    tasks = [spawn("heavy", coordinator.in_thread(work, number)) for number in range(8)]
    assert [await task for task in tasks] == [number * 2 for number in range(8)]
    assert most == [2]
    assert Coordinator().heavy.n_free == 10
