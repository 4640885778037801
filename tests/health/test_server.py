"""A feed that runs is asked over HTTP, by TCP and by its socket."""

import asyncio
import contextlib
import json
import os
import stat
import time
from types import SimpleNamespace

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs
from tests.cli.program import started, tickwire

import tickwire as tw
from tickwire.cli.status import ask, lines_of, local_socket
from tickwire.errors import ConfigError, TickwireError
from tickwire.feed.running import RunningFeed
from tickwire.health import Component, Exposition, HealthServer, State, process
from tickwire.health import server as server_module
from tickwire.health.http import Request
from tickwire.observe import Metrics, Registry
from tickwire.sim import Simulator
from tickwire.sinks import duckdb_database

ANYWHERE = tw.MetricsSettings(listen="127.0.0.1:0")


def feed_of(sim, folder, **options):
    source = tw.Source(
        venue=sim.venue, channels=["trades"], symbols=["BTC", "ETH"],
        url=sim.ws_url, rest_url=sim.rest_url,
    )  # fmt: skip
    options = {"metrics": ANYWHERE, "state_dir": folder / "state", **options}
    sinks = options.pop("sinks", [tw.ParquetSink(path=folder / "data")])
    return tw.FeedHandler(source, sinks, **options)


async def get(session, url):
    async with session.get(url) as reply:
        return reply.status, await reply.json()


async def until(condition):
    """Wait until what is asked over and over is so."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - another server is asked
            await asyncio.sleep(0.02)


async def until_ready(session, url, status=200):
    async def is_so():
        return (await get(session, url + "/health/ready"))[0] == status

    await until(is_so)


def values(text, parse):
    return {
        sample.name: sample.value
        for family in parse(text)
        for sample in family.samples
        if "_bucket" not in sample.name
    }


async def test_metrics_in_both_formats(tmp_path):
    async with Simulator(rate=2000) as sim, aiohttp.ClientSession() as session:
        async with feed_of(sim, tmp_path) as feed:
            url = feed.metrics_url
            await until_ready(session, url)
            await asyncio.sleep(0.2)  # some housekeeping
            async with session.get(url + "/metrics") as reply:
                assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                found = values(await reply.text(), parse_text)
            accept = {"Accept": "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"}
            async with session.get(url + "/metrics", headers=accept) as reply:
                assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
                again = values(await reply.text(), parse_open)
            assert again["tickwire_messages_total"] >= found["tickwire_messages_total"] > 0
            assert found["tickwire_resident_memory_bytes"] > 10 << 20
            assert found["tickwire_connections_open"] == 1
            assert found["tickwire_receive_buffer_bytes"] == 256 << 10
            assert found["tickwire_loop_lag_seconds_count"] > 0
            assert found["tickwire_ring_bytes"] > 1 << 16
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url + "/metrics")
        assert [path.suffix for path in (tmp_path / "state").iterdir()].count(".sock") == 0


async def test_memory_of_duckdb_and_the_states_of_breakers(tmp_path, monkeypatch):
    monkeypatch.setattr(
        duckdb_database, "MEMORY_LOOK_S", 1e6
    )  # the first rows are looked at by themselves
    sinks = [tw.DuckDBSink(path=tmp_path / "market.duckdb")]
    async with (
        Simulator(rate=2000) as sim,
        aiohttp.ClientSession() as session,
        feed_of(sim, tmp_path, sinks=sinks) as feed,
    ):

        async def is_so():
            async with session.get(feed.metrics_url + "/metrics") as reply:
                families = {each.name: each for each in parse_text(await reply.text())}
            [memory] = families["tickwire_duckdb_memory_bytes"].samples
            states = {s.labels["state"]: s.value for s in families["tickwire_breakers"].samples}
            # Of the source's address, of the host that it asks by REST, and of the sink.
            return memory.value > 0 and states == {"closed": 3, "half_open": 0, "open": 0}

        await until(is_so)


async def test_health_says_what_is_wrong_and_that_it_is_over(tmp_path):
    async with (
        Simulator(rate=500, faults=["reject=ETH"]) as sim,
        aiohttp.ClientSession() as session,
        feed_of(sim, tmp_path) as feed,
    ):
        url = feed.metrics_url
        assert await get(session, url + "/health/live") == (200, {"live": True})
        async with asyncio.timeout(20):
            while True:
                status, report = await get(session, url + "/health")
                source = report["components"][0]
                if any("ETH" in reason for reason in source["reasons"]):
                    break
                await asyncio.sleep(0.02)
        assert (status, report["status"]) == (200, "degraded")
        assert source["name"] == "source 0 hyperliquid"
        assert source["status"] == "degraded"
        assert report["summary"]["feed"] == report["feed"] == "main"
        names = [component["name"] for component in report["components"]]
        of_all = ["rings", "housekeeping", "ledger", "tasks", "errors", "alerts"]
        assert names == ["source 0 hyperliquid", "sink parquet", *of_all]
        assert (await get(session, url + "/health"))[1]["live"]
        sim.inject("down")
        await until_ready(session, url, 503)
        _, report = await get(session, url + "/health")
        assert "1 of 1 connections are not open" in report["components"][0]["reasons"]


async def test_nothing_but_get_is_answered(tmp_path):
    async with (
        Simulator() as sim,
        feed_of(sim, tmp_path) as feed,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(feed.metrics_url + "/metrics") as reply:
            assert reply.status == 405
        async with session.get(feed.metrics_url + "/secrets") as reply:
            assert reply.status == 404


async def test_an_address_that_is_taken_is_an_error_before_anything_connects(tmp_path, monkeypatch):
    async with Simulator() as sim, feed_of(sim, tmp_path / "a") as feed:
        listen = feed.metrics_url.removeprefix("http://")
        taken = feed_of(sim, tmp_path / "b", metrics=tw.MetricsSettings(listen=listen))
        with monkeypatch.context() as patch:
            patch.setattr(RunningFeed, "start", lambda *_, **__: pytest.fail("it has connected"))
            with pytest.raises(TickwireError, match=f"metrics.listen: cannot listen on {listen}"):
                await taken.start()
        async with feed_of(sim, tmp_path / "b"):  # the state is free again
            pass


async def test_a_task_that_failed_is_named(tmp_path):
    async with (
        Simulator(rate=500) as sim,
        aiohttp.ClientSession() as session,
        feed_of(sim, tmp_path) as feed,
    ):

        async def fail():
            raise ValueError("a mistake of the program")

        await asyncio.wait([feed.tasks.spawn("mine", fail)])
        _, report = await get(session, feed.metrics_url + "/health")
    [component] = [each for each in report["components"] if each["name"] == "tasks"]
    assert component["status"] == "degraded"
    assert component["reasons"][0].startswith(
        "mine has failed: ValueError: a mistake of the program (test_server.py:"
    )


async def test_an_alert_of_a_feed(tmp_path):
    alert = tw.AlertSettings(name="quiet", when="rate(messages) > 10")
    async with (
        Simulator(rate=2000) as sim,
        feed_of(sim, tmp_path, alerts=[alert]) as feed,
        aiohttp.ClientSession() as session,
    ):

        async def fires():
            return (await get(session, feed.metrics_url + "/health"))[1]["alerts"] == ["quiet"]

        await until(fires)


def test_mistakes_are_named():
    source = tw.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    alerts = [tw.AlertSettings(name="x", when=when) for when in ("ring_dept > 1", "gaps > 1")]
    with pytest.raises(ConfigError) as wrong:
        tw.FeedHandler(source, alerts=alerts)
    assert wrong.value.problems == [
        "alert[0].when: is 'ring_dept > 1': no metric ring_dept, did you mean ring_depth?",
        "alert[1].name: is 'x', as another alert is called",
    ]
    for listen in ("9464", "localhost", "127.0.0.1:99999", "http://localhost:1"):
        with pytest.raises(ConfigError, match="should be HOST:PORT"):
            tw.MetricsSettings(listen=listen)
    assert tw.MetricsSettings(listen="[::1]:0").address == ("::1", 0)


CONFIG = """
[feed]
name = "a/b"
[[source]]
venue = "hyperliquid"
channels = ["trades"]
symbols = ["BTC"]
url = "{ws}"
rest_url = "{rest}"
[[alert]]
name = "hook"
when = "gaps_open > 100"
webhook = "https://example.invalid/{{env:HOOK}}"
"""


async def test_the_command_asks_a_running_feed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", "hook-secret-0123456789")
    async with Simulator(rate=500) as sim:
        folder = tmp_path / ("long" * 30)  # no socket could have such a path
        folder.mkdir()
        path = folder / "feeds.toml"
        path.write_text(CONFIG.format(ws=sim.ws_url, rest=sim.rest_url))
        idle = await asyncio.to_thread(tickwire, "status", path)
        assert idle.returncode == 1
        assert idle.stderr == f"tickwire: no feed {str(path)!r} runs, or none that can be asked\n"
        running = await asyncio.to_thread(started, "run", path)
        try:
            socket = folder / ".tickwire" / "a%2Fb.sock"

            async def runs():
                return socket.exists() and sim.stats.messages

            await until(runs)
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            as_json = await asyncio.to_thread(tickwire, "status", path, "--json")
            by_name = await asyncio.to_thread(tickwire, "status", "a/b", cwd=folder)
            whole = await asyncio.to_thread(tickwire, "status", "a/b", "--tasks", cwd=folder)
        finally:
            running.terminate()
            await asyncio.to_thread(running.communicate, timeout=60)
    assert as_json.returncode == 0, as_json.stderr
    report = json.loads(as_json.stdout)
    assert (report["feed"], report["pid"]) == ("a/b", running.pid)
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout.startswith("a/b: ")
    assert "source 0 hyperliquid" in by_name.stdout
    assert "task session" not in by_name.stdout
    assert "task session 0 hyperliquid.0: running, " in whole.stdout
    tasks = {task["name"]: task for task in report["tasks"]}
    assert tasks["housekeeping"]["state"] == "running"
    assert not socket.exists()


def test_a_task_that_has_failed_is_a_line_of_the_status():
    task = {"name": "one", "state": "running", "restarts": 0, "last_error": "", "where": "f:1"}
    failed = {**task, "name": "two", "restarts": 3, "last_error": "ValueError: no"}
    report = {
        "feed": "main", "status": "ok", "uptime_s": 1.0, "pid": 1, "version": "1",
        "summary": {"rows": {}, "messages": 0, "reconnects": 0, "gaps": 0}, "components": [],
        "tasks": [task, failed],
    }  # fmt: skip
    line = "  task two: running, 3 restarts, ValueError: no"
    assert lines_of(report)[2:] == [line]
    assert lines_of(report, has_tasks=True)[2:] == ["  task one: running, f:1", f"{line}, f:1"]


class Still:
    """A feed that nothing happens to."""

    text_age_s = 0.0

    def components(self):
        return [Component("everything", State.FAILED, ("it is a test",))]

    def is_ready(self):
        return False

    def is_live(self):
        return False

    def details(self):
        return {}


async def test_a_failed_component_is_503():
    server = HealthServer(Still(), Exposition(Registry()), ("127.0.0.1", 0), None)
    await server.start()
    async with aiohttp.ClientSession() as session:
        for path in ("/health", "/health/live", "/health/ready"):
            assert (await get(session, server.url + path))[0] == 503
    await server.stop()


async def test_under_overload_a_scrape_gives_the_text_before_again(monkeypatch):
    now_s = 1000.0
    clocks = SimpleNamespace(monotonic=lambda: now_s, perf_counter=time.perf_counter)
    monkeypatch.setattr(server_module, "time", clocks)
    feed, metrics, scrapes = Still(), Metrics(), []
    messages = metrics.counter("log_lines_dropped")
    server = HealthServer(
        feed,
        Exposition(metrics.registry),
        None,
        None,
        on_scrape=lambda: scrapes.append(1),
    )
    request = Request("GET", "/metrics", "", "")

    async def scraped() -> bytes:
        reply = await server._metrics(request)
        return next(line for line in reply.body.splitlines() if line[:1] != b"#")

    assert (await scraped()).endswith(b" 0")
    messages.add()
    feed.text_age_s = 5.0
    assert (await scraped()).endswith(b" 0")
    assert len(scrapes) == 1
    now_s += 5.0
    assert (await scraped()).endswith(b" 1")
    messages.add()
    feed.text_age_s = 0.0
    assert (await scraped()).endswith(b" 2")


async def test_a_feed_is_asked_by_the_address_of_its_metrics(tmp_path):
    async with Simulator(rate=500) as sim, feed_of(sim, tmp_path, state_dir=None) as feed:
        report = await asyncio.to_thread(ask, feed.metrics_url)
        path = tmp_path / "feeds.toml"
        listen = feed.metrics_url.removeprefix("http://")
        path.write_text(
            f'[feed]\nstate_dir = ""\n[metrics]\nlisten = "{listen}"\n[[source]]\n'
            'venue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
        )
        by_file = await asyncio.to_thread(ask, str(path))
    assert report["components"]
    assert by_file["pid"] == report["pid"] == os.getpid()
    for url in ("https://127.0.0.1:1", "http://:1"):
        with pytest.raises(TickwireError, match="should be http://HOST:PORT"):
            ask(url)
    with pytest.raises(TickwireError, match=r"no feed 'http://127.* runs"):
        ask("http://127.0.0.1:1")


def test_a_configuration_with_a_secret_that_is_not_set_has_its_socket_still(tmp_path):
    path = tmp_path / "feeds.toml"
    path.write_text(CONFIG.format(ws="ws://h", rest="http://h"))
    assert local_socket(str(path)) == tmp_path / ".tickwire" / "a%2Fb.sock"
    path.write_text("[feed\n")
    with pytest.raises(ConfigError, match="is not TOML"):
        local_socket(str(path))


async def test_a_socket_that_cannot_be_had_is_a_warning(tmp_path):
    nowhere = tmp_path / "nothing" / "a.sock"
    server = HealthServer(Still(), Exposition(Registry()), None, nowhere)
    with capture_logs() as events:
        await server.start()
    await server.stop()
    [event] = [each for each in events if each["log_level"] == "warning"]
    assert event["event"] == "no socket for `tickwire status`"
    assert (event["path"], event["why"]) == (str(nowhere), "No such file or directory")


async def test_who_still_asks_at_the_stop_is_let_go(tmp_path):
    async with Simulator(rate=500) as sim:
        async with feed_of(sim, tmp_path) as feed:
            host, port = feed.metrics_url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
        writer.close()


def test_figures_that_cannot_be_known_are_0(monkeypatch, tmp_path):
    assert process.resident_bytes() > 10 << 20
    assert process.open_descriptors() > 2
    monkeypatch.setattr(process, "_STATM", tmp_path / "nothing")
    monkeypatch.setattr(process, "_DESCRIPTORS", tmp_path / "nothing")
    assert (process.resident_bytes(), process.open_descriptors()) == (0, 0)
