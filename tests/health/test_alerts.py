"""Alerts: when they fire, what they do, and that what fails stops nothing."""

import asyncio
import json
import sys

import pytest
from aiohttp import web

from tickwire.config import AlertSettings
from tickwire.health import Alerts
from tickwire.observe import Metrics, Registry


class Scene:
    """Alerts with a clock of their own."""

    def __init__(self, *settings):
        self.registry = Registry()
        self.metrics = Metrics(self.registry)
        self.now_s = 100.0
        self.emergencies = []
        self.alerts = Alerts(
            "main", settings, self.registry, lambda: self.now_s, self.emergencies.append
        )
        self.sent = []
        self.alerts._send = lambda watched, state, due: self.sent.append(
            (watched.settings.name, state, due)
        )

    def look(self, after_s=1.0):
        self.now_s += after_s
        self.alerts.look()
        return [(name, state) for name, state, _ in self.sent]


def rule(when, **options):
    return AlertSettings(name="a", when=when, **options)


def test_an_alert_waits_until_its_rule_has_held_and_is_sent_once():
    scene = Scene(rule("ring_depth > 0.8 for 5s"))
    depth = scene.metrics.gauge("ring_depth", sink="duckdb", table="book")
    other = scene.metrics.gauge("ring_depth", sink="duckdb", table="trades")
    depth.set(1)
    for _ in range(5):
        assert scene.look() == []
    depth.set(0)  # starts over
    assert scene.look() == []
    depth.set(1)
    other.set(0)
    for _ in range(5):
        assert scene.look() == []
    assert scene.look() == [("a", "firing")]
    assert scene.sent[0][2] == {("duckdb", "book"): 1}
    assert scene.registry.total("alerts") == scene.registry.total("alerts_firing") == 1
    for _ in range(3):
        assert scene.look() == [("a", "firing")]
    depth.set(0)
    assert scene.look() == [("a", "firing"), ("a", "resolved")]
    assert scene.registry.total("alerts_firing") == 0


def test_each_series_holds_on_its_own():
    scene = Scene(rule("ring_depth > 0.8 for 2s"))
    first = scene.metrics.gauge("ring_depth", sink="s", table="book")
    second = scene.metrics.gauge("ring_depth", sink="s", table="trades")
    for n in range(6):  # together they always hold, alone never for two seconds
        first.set(n % 2)
        second.set(1 - n % 2)
        assert scene.look() == []


def test_what_flaps_is_held_off():
    scene = Scene(rule("connections_open < 1", hold_off_s=60))
    gauge = scene.metrics.gauge("connections_open", source="0", venue="x")
    assert scene.look() == [("a", "firing")]
    for _ in range(5):
        gauge.set(1)
        scene.look()
        gauge.set(0)
        assert scene.look() == [("a", "firing"), ("a", "resolved")]
    gauge.set(1)
    scene.look()
    gauge.set(0)
    assert scene.look(60)[-1] == ("a", "firing")
    assert scene.registry.total("alerts") == 2


def test_a_rate_is_per_second():
    scene = Scene(rule("rate(messages) < 10"))
    counter = scene.metrics.counter("messages", source="0", venue="x")
    assert scene.look() == []  # no rate yet
    counter.add(40)
    assert scene.look(2.0) == []
    counter.add(9)
    assert scene.look(1.0) == [("a", "firing")]


def test_a_percentile_is_of_what_came_since_the_last_look():
    scene = Scene(rule("p99(read_to_ring_seconds) > 0.01"))
    histogram = scene.metrics.histogram("read_to_ring_seconds")
    histogram.add(50_000_000, 100)
    assert scene.look() == [("a", "firing")]
    histogram.add(1_000, 5)
    assert scene.look() == [("a", "firing"), ("a", "resolved")]
    assert scene.look() == [("a", "firing"), ("a", "resolved")]  # nothing came


def test_labels_choose_the_series():
    scene = Scene(rule('gaps_open{table="book"} > 0'))
    scene.metrics.gauge("gaps_open", table="trades", reason="stale").set(1)
    assert scene.look() == []
    scene.metrics.gauge("gaps_open", table="book", reason="stale").set(1)
    assert scene.look() == [("a", "firing")]


def test_an_alert_that_is_an_emergency_is_one_whatever_its_hold_off():
    scene = Scene(rule("breakers_open > 2", emergency=True, hold_off_s=3600))
    breakers = scene.metrics.gauge("breakers_open")
    scene.look()
    assert scene.emergencies == []
    for _ in range(2):
        breakers.set(3)
        scene.look()
        breakers.set(0)
        scene.look()
    assert scene.emergencies == ["alert a: breakers_open > 2"] * 2
    assert [state for _, state, _ in scene.sent] == ["firing", "resolved"]


def firing(**options):
    registry = Registry()
    Metrics(registry).gauge("connections_open", source="0", venue="x")
    return Alerts(
        "main", [rule("connections_open < 1", **options)], registry, lambda: 1.0
    ), registry


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.01)


async def test_a_command_gets_the_alert(tmp_path):
    out = tmp_path / "alert.json"
    code = (
        "import sys, os; text = os.environ['TICKWIRE_ALERT'] + sys.stdin.read();"
        "open(sys.argv[1], 'w').write(text)"
    )
    alerts, registry = firing(command=(sys.executable, "-c", code, str(out)))
    alerts.look()
    await until(lambda: not alerts._sending)
    text = out.read_text()
    assert text.startswith("a{")
    alert = json.loads(text[1:])
    assert (alert["feed"], alert["state"]) == ("main", "firing")
    assert alert["series"] == [{"labels": {"source": "0", "venue": "x"}, "value": 0}]
    assert registry.total("alert_errors") == 0


@pytest.mark.parametrize(
    ("command", "limit_s"),
    [
        (("/nonexistent/program",), 30.0),
        ((sys.executable, "-c", "raise SystemExit(3)"), 30.0),
        ((sys.executable, "-c", "import time; time.sleep(60)"), 0.3),
    ],
)
async def test_a_command_that_fails_or_hangs_is_counted(command, limit_s, monkeypatch):
    monkeypatch.setattr("tickwire.health.alerts.COMMAND_S", limit_s)
    alerts, registry = firing(command=command)
    alerts.look()
    await until(lambda: not alerts._sending)
    assert registry.total("alert_errors") == 1


async def test_a_webhook_gets_the_alert_and_a_failing_one_is_counted(monkeypatch):
    got = []

    async def take(request):
        got.append(await request.json())
        return web.Response(status=204 if len(got) == 1 else 500)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    for n_errors in (0, 1):
        alerts, registry = firing(webhook=url)
        alerts.look()
        await until(lambda alerts=alerts: not alerts._sending)
        assert registry.total("alert_errors") == n_errors
        assert got[-1]["alert"] == "a"
    await runner.cleanup()
    alerts, registry = firing(webhook=url)  # no server any more
    alerts.look()
    await alerts.close()
    await until(lambda: registry.total("alert_errors") == 1)
