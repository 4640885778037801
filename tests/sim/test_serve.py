"""What `tickwire sim` prints: where it is, a source to paste, and who its clients are."""

import json
import socket
import tomllib

import pytest
from tests.cli.program import started, tickwire
from tests.sim.alike import one_of_each

from tickwire.config import load
from tickwire.feed import FeedHandler
from tickwire.sim import DEFAULT_PORTS, VENUES


def head(running):
    """Give the first lines, up to the source's last."""
    lines = []
    while not lines or not lines[-1].startswith("rest_url"):
        lines.append(running.stdout.readline())
        assert lines[-1], running.stderr.read()
    return lines


def test_every_venue_has_two_ports_of_its_own():
    assert DEFAULT_PORTS.keys() == set(VENUES)
    ports = [port + step for port in DEFAULT_PORTS.values() for step in (0, 1)]
    assert len({*ports}) == len(ports)


@pytest.mark.parametrize(
    "venue", one_of_each(VENUES, {*VENUES} - {"hyperliquid", "binance", "okx"})
)
def test_the_source_that_it_prints_can_be_run(venue, tmp_path):
    # On a busy machine a feed must keep up, too: it stops once it has read what was sent.
    with started("sim", "--venue", venue, "--port", "0", "--rate", "100") as running:
        try:
            ws, rest, empty, *block = head(running)
            source = tomllib.loads("".join(block))["source"][0]
            assert (ws, rest) == (f"ws={source['url']}\n", f"rest={source['rest_url']}\n")
            assert empty == "\n"
            path = tmp_path / "feeds.toml"
            path.write_text("".join(block))
            FeedHandler(load(path))
            done = tickwire("run", path, "--duration", "2", "--summary", "-")
        finally:
            running.terminate()
            _, log = running.communicate(timeout=30)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["refused_subscriptions"] == 0
    assert summary["messages"] > 0
    lines = [line for line in log.splitlines() if "client" in line]
    for event in ("client connected", "client subscribed", "client left"):
        assert any(event in line for line in lines), log
    left = [line for line in lines if "client left" in line]
    sent = [int(line.partition(" messages=")[2].split()[0]) for line in left]
    assert sum(sent) >= summary["messages"]


def test_a_port_that_is_taken_is_named(port_pair):
    port = port_pair + 1
    with socket.create_server(("127.0.0.1", port)):
        for wanted in (port, port_pair):  # that of REST, too
            done = tickwire("sim", "--port", wanted)
            assert done.returncode == 1
            assert done.stderr == (
                f"tickwire: cannot listen on 127.0.0.1:{port}: Address already in use; "
                "--port N takes another port, --port 0 a free one\n"
            )
