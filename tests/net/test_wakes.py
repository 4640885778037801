"""Tasks that a read wakes: resumed at its end where that may be, by the loop's next turn elsewhere.

Every test runs on both loops, most with Python's own tasks too.
"""

import asyncio
import contextvars
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from tickwire.feed import BatchConsumer, RowConsumer
from tickwire.net import Receiver
from tickwire.net._wakes import Waiter
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES
from tickwire.wire import Handler

PING = b"\x89\x00"
T = TypeVar("T")
name = contextvars.ContextVar("name", default="none")


class Reads:
    """A connection each of whose reads publishes rows, as its session would."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.receiver = Receiver(Handler())
        self.receiver.on_attention = self._publish
        self.receiver.start()
        self.prices: tuple[float, ...] = ()

    def _publish(self) -> None:
        self.receiver.parser.take_control()
        for price in self.prices:
            self.ring.stage(venue="v", symbol="s", conn=0, price=price)
        self.ring.publish()

    def __call__(self, *prices: float) -> None:
        self.prices = prices
        self.receiver.receive_bytes(PING)

    def large(self, *prices: float) -> None:
        """Read so much that the kernel may have more."""
        message = b"\x82\x7f" + (100_000).to_bytes(8, "big") + bytes(100_000)
        data = message + PING
        self.prices = prices
        self.receiver.get_buffer()[: len(data)] = data
        self.receiver.buffer_updated(len(data))


async def called(function: Callable[[], T]) -> T:
    """Call in a callback of the loop, outside of any task, as a loop calls what reads."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def call() -> None:
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)

    loop.call_soon(call)
    return await done


def python_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **keys: Any) -> Any:
    return asyncio.tasks._PyTask(coroutine, loop=loop, **keys)  # type: ignore[attr-defined]


@pytest.fixture
def ring() -> Ring:
    return Ring(TABLES["mids"], 1024, Dictionaries())


@pytest.fixture
def read(ring: Ring) -> Reads:
    return Reads(ring)


def eager_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **keys: Any) -> Any:
    keys.pop("eager_start", None)  # uvloop gives it; before Python 3.14 this factory refuses it
    return asyncio.eager_task_factory(loop, coroutine, **keys)  # type: ignore[attr-defined]


FACTORIES: dict[str, Any] = {"C": None, "Python": python_task}
if sys.version_info >= (3, 12):
    FACTORIES["eager"] = eager_task


@pytest.fixture(params=FACTORIES)
async def tasks(request: pytest.FixtureRequest) -> Any:
    """The kinds of tasks that there are."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(FACTORIES[request.param])
    yield request.param
    loop.set_task_factory(None)


class Following:
    """A task that takes rows, one read after the other."""

    def __init__(self, ring: Ring, body: Callable[[float], object] | None = None) -> None:
        self.seen: list[float] = []
        self.consumer = RowConsumer(ring)
        self.body = body
        self.task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        async for row in self.consumer:
            self.seen.append(row.price)
            if self.body is not None:
                self.body(row.price)

    async def begin(self, read: Reads) -> "Following":
        """Let it wait, and learn whose reads wake it."""
        await asyncio.sleep(0)
        read(0.0)
        await asyncio.sleep(0)
        assert self.seen[-1:] == [0.0]
        read()  # the next one is the third in a row
        read()
        return self

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.consumer.close()


async def test_a_task_is_resumed_at_the_end_of_the_read(
    ring: Ring, read: Reads, tasks: str
) -> None:
    following = await Following(ring).begin(read)

    def scene() -> list[float]:
        read(1.0)
        first = following.seen[1:]
        assert first == [1.0]
        read(2.0, 3.0)
        return following.seen[1:]

    assert await called(scene) == [1.0, 2.0, 3.0]
    await following.end()


async def test_reads_inside_a_task_resume_no_other_one(ring: Ring, read: Reads, tasks: str) -> None:
    following = await Following(ring).begin(read)
    read(1.0)
    assert following.seen == [0.0]
    await asyncio.sleep(0)
    assert following.seen == [0.0, 1.0]
    await following.end()


async def test_a_resumed_task_is_the_current_one_in_its_own_context(
    ring: Ring, read: Reads, tasks: str
) -> None:
    found: list[tuple[object, str]] = []
    name.set("task")
    following = Following(ring, lambda _: found.append((asyncio.current_task(), name.get())))
    await following.begin(read)
    name.set("test")

    def scene() -> None:
        name.set("read")
        read(1.0)
        assert asyncio.current_task() is None
        assert name.get() == "read"

    await called(scene)
    assert found[1:] == [(following.task, "task")]
    await following.end()


async def test_where_the_context_is_entered_already_the_loop_resumes(
    ring: Ring, read: Reads
) -> None:
    # A read in the very context of the task that it wakes.
    context = contextvars.copy_context()
    consumer = RowConsumer(ring)
    loop = asyncio.get_running_loop()
    task = loop.create_task(anext(consumer), context=context)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    read(0.0)
    assert (await task).price == 0.0
    read()
    read()

    async def get() -> float:
        return float((await consumer.get()).price)

    task = loop.create_task(get(), context=context)
    await asyncio.sleep(0)
    await called(lambda: context.run(read, 1.0))
    assert await asyncio.wait_for(task, 10) == 1.0


async def test_a_task_that_is_cancelled_leaves_the_rows(
    ring: Ring, read: Reads, tasks: str
) -> None:
    consumer = BatchConsumer(ring)

    async def get() -> list[float]:
        batch = await consumer.get()
        return list(batch["price"].to_pylist())

    loop = asyncio.get_running_loop()
    for price in (1.0, 2.0, 3.0, 4.0):  # by the loop's next turn, then by the read
        first, second = loop.create_task(get()), loop.create_task(get())
        await asyncio.sleep(0)

        def scene(price: float = price, first: asyncio.Task[Any] = first) -> None:
            assert first.cancel("no more")
            read(price)

        await called(scene)
        with pytest.raises(asyncio.CancelledError, match="no more"):
            await first
        assert await asyncio.wait_for(second, 10) == [price]


async def test_a_resumed_task_may_cancel_one_that_the_same_read_has_woken(
    ring: Ring, read: Reads, tasks: str
) -> None:
    first = Following(ring, lambda price: price and second.task.cancel())
    second = Following(ring)
    await first.begin(read)
    await called(lambda: read(1.0))
    with pytest.raises(asyncio.CancelledError):
        await second.task
    # It had been woken, and took nothing: its row is there.
    assert second.seen == [0.0]
    assert second.consumer.get_nowait().price == 1.0
    await first.end()


async def test_timeouts_end_a_wait(ring: Ring, read: Reads, tasks: str) -> None:
    consumer = RowConsumer(ring)

    async def get() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await anext(consumer)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(consumer.get(), 0.005)
        async with asyncio.timeout(10):
            return float((await anext(consumer)).price)

    task = asyncio.get_running_loop().create_task(get())
    await asyncio.sleep(0.05)
    await called(lambda: read(1.0))
    assert await asyncio.wait_for(task, 10) == 1.0


async def test_what_a_task_raises_reaches_its_task_and_not_the_read(
    ring: Ring, read: Reads, tasks: str
) -> None:
    def fail(price: float) -> None:
        if price:
            raise ValueError("of the program")

    failing = await Following(ring, fail).begin(read)
    other = await Following(ring).begin(read)
    seen = await called(lambda: (read(1.0), list(other.seen))[1])
    assert seen[-1] == 1.0
    with pytest.raises(ValueError, match="of the program"):
        await failing.task
    await other.end()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_ends_the_loop_ends_it_and_not_the_read(
    ring: Ring, read: Reads, kind: type[BaseException], loop: str
) -> None:
    finished: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    def stop(price: float) -> None:
        if price:
            raise kind(3)

    def scene() -> None:
        read(1.0)
        finished.append("read")

    async def main() -> None:
        tasks.append((await Following(ring, stop).begin(read)).task)
        asyncio.get_running_loop().call_soon(scene)
        await asyncio.sleep(10)

    factory = asyncio.new_event_loop if loop == "asyncio" else __import__(loop).new_event_loop
    with pytest.raises(kind), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
    assert finished == ["read"]
    assert isinstance(tasks[0].exception(), kind)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["get_debug", "call_soon"])
def test_what_a_signal_raises_between_a_read_and_a_task_ends_the_loop(
    ring: Ring,
    read: Reads,
    kind: type[BaseException],
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Following] = []

    def interrupted(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise kind(3)

    async def main() -> None:
        started.append(await Following(ring).begin(read))
        loop = asyncio.get_running_loop()

        def scene() -> None:  # a signal is handled where Python runs, as these two of asyncio
            if where == "call_soon":  # of a publish, where several connections read
                Reads(ring)()
            monkeypatch.setattr(loop, where, interrupted)
            read(1.0)

        loop.call_soon(scene)
        await asyncio.sleep(10)

    with asyncio.Runner() as runner:
        with pytest.raises(kind):
            runner.run(main())
        runner.run(asyncio.sleep(0))
        # It was woken all the same.
        assert started[0].seen == [0.0, 1.0]
        runner.run(started[0].end())


async def test_a_resumed_task_may_read_and_wake_others(ring: Ring, read: Reads, tasks: str) -> None:
    # As one does that resumes a source, or feeds a connection by hand.
    other_ring = Ring(TABLES["mids"], 1024, Dictionaries())
    other_read = Reads(other_ring)
    second = await Following(other_ring).begin(other_read)
    first = Following(ring, lambda price: other_read(price + 10) if price else None)
    await first.begin(read)
    seen = await called(lambda: (read(1.0), list(second.seen))[1])
    assert seen == [0.0]  # inside of the first one's task
    await asyncio.sleep(0)
    assert second.seen == [0.0, 11.0]
    await first.end()
    await second.end()


async def test_in_debug_mode_the_loop_resumes(ring: Ring, read: Reads, tasks: str) -> None:
    asyncio.get_running_loop().set_debug(True)
    following = await Following(ring).begin(read)
    assert await called(lambda: (read(1.0), list(following.seen))[1]) == [0.0]
    await asyncio.sleep(0)
    assert following.seen == [0.0, 1.0]
    await following.end()
    asyncio.get_running_loop().set_debug(False)


async def test_reads_of_several_connections_are_gathered(ring: Ring, read: Reads) -> None:
    other_read = Reads(ring)
    batches: list[int] = []
    consumer = BatchConsumer(ring)

    async def follow() -> None:
        while True:
            batches.append((await consumer.get()).num_rows)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    other_read()
    for first, last in ((read, other_read), (read, other_read), (other_read, read)) * 3:

        def scene(first: Reads = first, last: Reads = last) -> None:
            first(1.0)
            last(2.0)

        await called(scene)
        await asyncio.sleep(0)
    assert batches == [2] * 9
    task.cancel()


async def test_a_slow_consumer_delays_no_read_of_another_connection(
    ring: Ring, read: Reads
) -> None:
    other_read = Reads(Ring(TABLES["mids"], 1024, Dictionaries()))
    order: list[str] = []
    following = Following(ring, lambda _: order.append("consumer"))
    await asyncio.sleep(0)
    other_read()

    def scene() -> None:
        read(1.0)
        other_read(1.0)
        order.append("reads")

    for _ in range(4):
        await called(scene)
        await asyncio.sleep(0)
    assert order == ["reads", "consumer"] * 4
    await following.end()


@pytest.mark.parametrize("runs_another", [False, True])
def test_a_read_outside_of_the_tasks_loop_leaves_the_task_to_its_loop(
    ring: Ring, read: Reads, runs_another: bool
) -> None:
    ran_in: list[asyncio.AbstractEventLoop] = []

    async def begin() -> Following:
        following = Following(ring, lambda _: ran_in.append(asyncio.get_running_loop()))
        return await following.begin(read)

    with asyncio.Runner() as runner, asyncio.Runner() as other:
        following = runner.run(begin())
        if runs_another:
            other.run(called(lambda: read(1.0)))
        else:
            read(1.0)
        assert following.seen == [0.0]
        runner.run(asyncio.sleep(0))
        assert following.seen == [0.0, 1.0]
        assert ran_in == [runner.get_loop()] * 2
        runner.run(following.end())


async def test_after_a_large_read_the_loop_resumes(ring: Ring, read: Reads) -> None:
    following = await Following(ring).begin(read)
    assert await called(lambda: (read.large(1.0), list(following.seen))[1]) == [0.0]
    await asyncio.sleep(0)
    assert following.seen == [0.0, 1.0]
    await following.end()


async def test_a_read_that_fails_resumes_all_the_same(ring: Ring, read: Reads) -> None:
    following = await Following(ring).begin(read)
    publish = read.receiver.on_attention
    assert publish is not None

    def fail() -> None:
        publish()
        raise ValueError("of the session")

    read.receiver.on_attention = fail

    def scene() -> list[float]:
        with pytest.raises(ValueError, match="of the session"):
            read(1.0)
        return following.seen[1:]

    assert await called(scene) == [1.0]
    await following.end()


async def test_a_linger_resumes_when_it_is_over(ring: Ring, read: Reads, tasks: str) -> None:
    consumer = BatchConsumer(ring, linger_ms=5)
    loop = asyncio.get_running_loop()
    task = loop.create_task(consumer.get())
    await asyncio.sleep(0)
    await called(lambda: read(1.0, 2.0))
    assert (await asyncio.wait_for(task, 10)).num_rows == 2


@pytest.fixture
def waiter() -> Iterator[Waiter]:
    loop = asyncio.new_event_loop()
    yield Waiter(loop)
    loop.close()


def test_a_waiter_is_to_its_task_what_a_future_is(waiter: Waiter) -> None:
    assert asyncio.isfuture(waiter)
    assert not waiter.done()
    assert not waiter.cancelled()
    with pytest.raises(asyncio.InvalidStateError):
        waiter.result()
    called: list[Waiter] = []
    waiter.add_done_callback(called.append)
    with pytest.raises(RuntimeError, match="already"):
        waiter.add_done_callback(called.append)
    assert waiter.cancel("why")
    assert not waiter.cancel("again")
    assert waiter.done()
    assert waiter.cancelled()
    with pytest.raises(asyncio.CancelledError, match="why"):
        waiter.result()
    assert called == []
    loop = waiter.get_loop()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert called == [waiter]


def test_who_asks_a_waiter_late_is_told_by_the_loop(waiter: Waiter) -> None:
    called: list[Waiter] = []
    waiter.cancel()
    waiter.add_done_callback(called.append)
    assert called == []
    loop = waiter.get_loop()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert called == [waiter]
