"""Emergency hooks: each has its own deadline, and none stops another."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from tickwire.observe import Metrics
from tickwire.redaction import hide
from tickwire.supervise import Emergency, EmergencyEvent, TaskManager


async def run(emergency: Emergency) -> tuple[dict[str, tuple[str, str]], Metrics]:
    metrics = Metrics()
    async with TaskManager() as tasks:
        await tasks.spawn("hooks", lambda: emergency.run(metrics))
    return {each.name: (each.state, each.report) for each in emergency.results}, metrics


async def test_a_hook_that_fails_or_hangs_stops_no_other() -> None:
    emergency = Emergency("main")
    told: list[EmergencyEvent] = []
    released = threading.Event()

    async def cancel_orders(event: EmergencyEvent) -> str:
        await asyncio.sleep(0.05)
        told.append(event)
        return "3 orders cancelled"

    async def fails() -> None:
        raise ValueError("no such account")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def deaf() -> None:
        for _ in range(3):  # does not let itself be cancelled at once
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                raise RuntimeError("was cancelled") from None

    def blocks(event: EmergencyEvent) -> None:
        released.wait(30)

    async def gives_up() -> None:
        raise asyncio.CancelledError

    emergency.add(fails, 5.0, "fails")
    emergency.add(hangs, 0.2, "hangs")
    emergency.add(deaf, 0.2, "deaf")
    emergency.add(blocks, 0.2, "blocks")
    emergency.add(gives_up, 5.0, "gives up")
    emergency.add(cancel_orders, 5.0)
    emergency.declare("a test")
    began_s = asyncio.get_running_loop().time()
    with capture_logs() as logs:
        found, metrics = await run(emergency)
    took_s = asyncio.get_running_loop().time() - began_s
    released.set()
    late = ("late", "did not end within 0.2 s")
    name = next(each for each in found if each.endswith("cancel_orders"))
    assert found == {
        "fails": ("failed", "ValueError: no such account"),
        "hangs": late,
        "deaf": late,
        "blocks": late,
        "gives up": ("failed", "RuntimeError: cancelled from within:"),
        name: ("done", "3 orders cancelled"),
    }
    assert took_s < 5
    assert (told[0].feed, told[0].reason, told[0].deadline_s) == ("main", "a test", 5.0)
    assert told[0].time_ns > 0
    assert metrics.registry.total("emergency_hooks") == 6
    assert metrics.registry.total("emergency_hook_failures") == 5
    events = [line["event"] for line in logs if line["event"].startswith("emergency hook")]
    assert sorted(events) == [
        "emergency hook done",
        *["emergency hook failed"] * 2,
        *["emergency hook late"] * 3,
    ]


def test_the_first_reason_counts_and_is_one_line_without_secrets() -> None:
    emergency = Emergency("main")
    seen: list[str] = []
    emergency.follow(seen.append)
    hide("hush-hush-key")
    with capture_logs() as logs:
        assert emergency.declare("disk\nfull  hush-hush-key")
        assert not emergency.declare("another")
    assert emergency.reason == "disk full ***"
    assert seen == ["disk full ***"]
    assert [line["event"] for line in logs] == [
        "EMERGENCY: the feed shuts down",
        "another emergency",
    ]


async def test_what_is_no_hook_is_refused() -> None:
    emergency = Emergency("main")

    async def hook() -> None: ...

    with pytest.raises(TypeError, match="give it without calling it"):
        emergency.add(hook(), 1.0)
    for deadline_s in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="should be a time in seconds"):
            emergency.add(hook, deadline_s)


async def test_a_hook_with_defaults_is_called_without_the_event() -> None:
    emergency = Emergency("main")

    class Hook:
        async def __call__(self, event: EmergencyEvent) -> str:
            return event.reason

    async def with_default(dry_run: bool = True) -> bool:
        return dry_run

    emergency.add(with_default, 1.0, "default")
    emergency.add(Hook(), 1.0)
    emergency.declare("why")
    found, _ = await run(emergency)
    assert found == {"default": ("done", "True"), "Hook": ("done", "why")}
