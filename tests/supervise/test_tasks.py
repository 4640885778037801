"""The task manager: restarts, failures, cancellation, stops, helpers."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tickwire.observe import Registry
from tickwire.supervise import ManagedTask, TaskManager, cancel_all, spawn


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.001)


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


async def for_ever() -> None:
    await asyncio.Event().wait()


def failing(n_times: int, then: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    left = [n_times]

    async def work() -> Any:
        if left[0]:
            left[0] -= 1
            raise ValueError(f"failure {left[0]}")
        return await then()

    return work


async def test_a_failure_takes_nothing_else_down() -> None:
    failed: list[tuple[str, str]] = []
    async with TaskManager(
        on_failure=lambda task, error: failed.append((task.name, str(error)))
    ) as tasks:
        other = tasks.spawn("other", for_ever)
        helped = asyncio.Event()

        async def with_helper() -> None:
            spawn("helper", for_ever())
            helped.set()
            await for_ever()

        third = tasks.spawn("third", with_helper)
        await helped.wait()
        with capture_logs() as events, pytest.raises(ValueError, match="failure 0"):
            await tasks.spawn("bad", failing(1, for_ever))
        assert failed == [("bad", "failure 0")]
        [event] = events
        assert (event["event"], event["task"]) == ("task failed", "bad")
        assert event["error"].startswith("ValueError: failure 0 (test_tasks.py:")
        states = {task.name: task.status().state for task in tasks.tasks()}
        assert states == {
            "other": "running", "third": "running", "bad": "failed", "third/helper": "running"
        }  # fmt: skip
    assert other.cancelled()
    assert third.cancelled()


async def test_a_task_is_restarted_as_its_policy_says() -> None:
    registry = Registry()
    async with TaskManager(metrics=registry.labelled(), sleep=at_once) as tasks:

        async def five() -> int:
            return 5

        with capture_logs() as events:
            task = tasks.spawn("work", failing(3, five), restart="on_failure")
            assert await task == 5
        assert [event["event"] for event in events] == ["task restarts"] * 3
        assert (task.restarts, task.status().state) == (3, "done")
        assert task.last_error.startswith("ValueError: failure 0")
        assert registry.by("task_restarts", "task") == {"work": 3}
        assert registry.by("tasks", "state")["done"] == 1

        n_runs = 0

        async def count() -> None:
            nonlocal n_runs
            n_runs += 1

        again = tasks.spawn("again", count, restart="always")
        await until(lambda: n_runs >= 10)
        assert not again.done()
        once = tasks.spawn("once", count, restart="on_failure")
        await once
        assert once.restarts == 0
        with pytest.raises(ValueError, match="sometimes"):
            tasks.spawn("odd", count, restart="sometimes")


async def test_delays_double_and_are_jittered() -> None:
    delays: list[float] = []

    async def note(seconds: float) -> None:
        delays.append(seconds)
        await asyncio.sleep(0)

    async with TaskManager(sleep=note) as tasks:
        await tasks.spawn("work", failing(9, at_no_time), restart="on_failure")
    assert len(delays) == 9
    for number, delay in enumerate(delays):
        longest = min(30.0, 0.5 * 2**number)
        assert longest / 2 <= delay <= longest


async def at_no_time() -> None:
    pass


async def test_cancellation_is_never_swallowed_nor_restarted() -> None:
    async with TaskManager(sleep=at_once) as tasks:
        task = tasks.spawn("work", for_ever, restart="always")
        await asyncio.sleep(0)
        assert task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (task.status().state, task.restarts) == ("cancelled", 0)
        assert not task.cancel()
        # Before its first step, too: its coroutine has never begun.
        early = tasks.spawn("early", for_ever)
        early.cancel()
        await asyncio.wait([early])
        assert early.cancelled()
        # While it waits for its restart.
        slow = TaskManager(sleep=lambda _: for_ever())
        await slow.start()
        waiting = slow.spawn("waiting", failing(1, for_ever), restart="on_failure")
        await until(lambda: waiting.status().state == "waiting")
        assert await slow.stop() == []
        assert waiting.cancelled()


async def test_who_awaits_a_task_and_is_cancelled_cancels_it() -> None:
    async with TaskManager() as tasks:
        task = tasks.spawn("work", for_ever)
        waiter = asyncio.ensure_future(asyncio.wait_for(task, 0.01))
        with pytest.raises(TimeoutError):
            await waiter
        assert task.cancelled()


async def test_a_cancelled_future_of_others_is_a_failure() -> None:
    async with TaskManager(sleep=at_once) as tasks:
        future = asyncio.get_running_loop().create_future()
        future.cancel()

        async def work() -> None:
            await future

        with pytest.raises(RuntimeError, match="cancelled from within"):
            await tasks.spawn("work", work)
        with pytest.raises(RuntimeError, match="cancelled from within"):
            await spawn("helper", work())


async def test_a_task_that_does_not_end_is_reported_and_left() -> None:
    tasks = TaskManager()
    await tasks.start()
    ends = asyncio.Event()

    async def stubborn() -> None:
        while not ends.is_set():
            try:
                await ends.wait()
            except asyncio.CancelledError:
                continue

    task = tasks.spawn("stubborn", stubborn)
    polite = tasks.spawn("polite", for_ever)
    await asyncio.sleep(0)
    with capture_logs() as events:
        assert await tasks.stop(0.05) == ["stubborn"]
    assert [event["tasks"] for event in events] == ["stubborn"]
    assert polite.cancelled()
    assert not task.done()
    ends.set()
    await asyncio.wait([task, *([tasks._host] if tasks._host else [])], timeout=5)
    assert task.done()


async def test_a_task_may_stop_its_own_manager() -> None:
    tasks = TaskManager()
    await tasks.start()
    other = tasks.spawn("other", for_ever)

    async def end() -> list[str]:
        return await tasks.stop()

    assert await asyncio.wait_for(tasks.spawn("end", end), 5) == []
    assert other.cancelled()


async def test_names_are_unique_among_tasks_that_run() -> None:
    async with TaskManager() as tasks:
        first = tasks.spawn("work", for_ever)
        with pytest.raises(ValueError, match="runs already"):
            tasks.spawn("work", for_ever)
        await cancel_all([first])
        second = tasks.spawn("work", for_ever)
        assert tasks.tasks() == [second]


async def test_only_functions_are_taken_and_only_while_it_runs() -> None:
    tasks = TaskManager()
    with pytest.raises(RuntimeError, match="does not run"):
        tasks.spawn("early", for_ever)
    async with tasks:
        with pytest.raises(TypeError, match="async function"):
            tasks.spawn("coroutine", for_ever())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="does not run"):
        tasks.spawn("late", for_ever)
    with pytest.raises(RuntimeError, match="once"):
        await tasks.start()
    assert await tasks.stop() == []


async def test_a_status_says_where_a_task_waits() -> None:
    async with TaskManager("mine") as tasks:
        tasks.spawn("work", for_ever, restart="always")
        await asyncio.sleep(0)
        [status] = tasks.status()
        assert status.to_dict() == {
            "name": "work",
            "state": "running",
            "restart": "always",
            "restarts": 0,
            "seconds": status.seconds,
            "last_error": "",
            "where": status.where,
        }
        assert "for_ever" in status.where or "Event.wait" in status.where
        assert 0 <= status.seconds < 5
        assert repr(tasks) == "<TaskManager mine: 1 running>"
        assert repr(tasks.tasks()[0]) == "<ManagedTask work: running, 0 restarts>"


async def test_tasks_are_held_strongly_and_ended_ones_are_bounded() -> None:
    async with TaskManager() as tasks:
        done = []

        async def work() -> None:
            await asyncio.sleep(0.01)
            done.append(1)

        for number in range(600):
            tasks.spawn(f"work {number}", work)
        gc.collect()
        await until(lambda: len(done) == 600)
        await until(lambda: len(tasks.tasks()) <= 257)


async def test_helpers_belong_to_their_task_and_give_their_errors_to_it() -> None:
    async with TaskManager() as tasks:

        async def bad() -> None:
            raise KeyError("inside")

        async def work() -> str:
            helper = spawn("helper", bad())
            with pytest.raises(KeyError):
                await helper
            return ",".join(task.name for task in tasks.tasks())

        with capture_logs() as events:
            assert await tasks.spawn("work", work) == "work"
        assert events == []

        async def outer() -> ManagedTask[None]:
            async def inner() -> ManagedTask[None]:
                await asyncio.sleep(0)
                return spawn("left", for_ever())

            return await spawn("inner", inner())

        left = await tasks.spawn("outer", outer)
        assert left.name == "outer/inner/left"
    assert left.cancelled()  # though the tasks that began it had ended


async def test_helpers_work_without_a_manager() -> None:
    async def five() -> int:
        await asyncio.sleep(0)
        return 5

    helper = spawn("five", five())
    gc.collect()
    assert await helper == 5
    unbegun = spawn("five", five())
    await cancel_all([unbegun])
    assert unbegun.cancelled()


async def test_a_failing_callback_of_failures_hides_nothing() -> None:
    def on_failure(*_: object) -> None:
        raise RuntimeError("callback")

    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    registry = Registry()
    async with TaskManager(on_failure=on_failure, metrics=registry.labelled()) as tasks:
        with capture_logs() as events, pytest.raises(ValueError, match="failure"):
            await tasks.spawn("bad", failing(1, for_ever))
    assert [event["event"] for event in events] == ["task failed"]
    assert registry.total("task_failures") == 1
    assert [str(context["exception"]) for context in seen] == ["callback"]
