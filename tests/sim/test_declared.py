"""A venue of one's own is as good as a built-in one: check, sim, replay and run take it."""

import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets
from tests.cli.program import Program, tickwire

from tickwire.errors import ConfigError, TickwireError
from tickwire.sim import Simulator
from tickwire.sim.authority import server_context
from tickwire.sim.declared import EVERYTHING, Declared
from tickwire.sim.market import Market

MODULE = "from tests.venues.own import declare\nMINE = declare(name='mine')\n"
TRADES = [
    {"type": "trade", "s": "A", "t": 1, "p": "1.5", "q": "2", "side": "buy", "id": str(number)}
    for number in range(30)
]
ROOT = Path(__file__).parents[2]


def configure(folder: Path, url: str = "") -> Path:
    (folder / "my_venue.py").write_text(MODULE)
    (folder / "capture.jsonl").write_text("".join(json.dumps(each) + "\n" for each in TRADES))
    path = folder / "feeds.toml"
    path.write_text(
        '[feed]\nstate_dir = ""\n[[source]]\nvenue = "my_venue:MINE"\nchannels = ["trades"]\n'
        f'symbols = ["A"]\n{url}'
    )
    return path


def test_check_and_replay_find_it_beside_the_configuration(tmp_path: Path) -> None:
    config = configure(tmp_path)
    checked = tickwire("check", config, cwd=ROOT)
    assert checked.returncode == 0, checked.stderr
    assert "source[0] mine: " in checked.stdout
    replayed = tickwire("replay", tmp_path / "capture.jsonl", config, "--summary", "-", cwd=ROOT)
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["rows"]["trades"] == 30


def test_sim_plays_its_capture_and_run_takes_it(tmp_path: Path) -> None:
    config = configure(tmp_path)
    options = ("--venue", "my_venue:MINE", "--capture", "capture.jsonl", "--speed", "max")
    with Program("sim", "--port", "0", *options, cwd=tmp_path) as simulator:
        try:
            url = simulator.stdout.readline().strip().removeprefix("ws=")
            configure(tmp_path, f'url = "{url}"\n')
            run = tickwire("run", config, "--until-idle", "1", "--summary", "-", cwd=tmp_path)
        finally:
            simulator.terminate()
            simulator.communicate()
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["rows"]["trades"] == 30


def test_without_a_capture_there_is_nothing_to_simulate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"own:OWN is not simulated; .* with --capture"):
        Simulator("tests.venues.own:OWN")
    capture = tmp_path / "capture.jsonl"
    capture.write_text("{}\n")
    with pytest.raises(ConfigError, match=r"--venue: unknown venue 'nyse'"):
        Simulator("nyse", capture=capture)


@pytest.mark.parametrize("route", ["all", "subscribed"])
async def test_a_capture_is_played_to_who_asks_for_anything(tmp_path: Path, route: str) -> None:
    configure(tmp_path)
    options: dict[str, Any] = {"capture": tmp_path / "capture.jsonl", "speed": "max"}
    async with (
        Simulator("tests.venues.own:OWN", **options, route=route) as sim,
        websockets.connect(sim.ws_url, max_queue=None) as ws,
        aiohttp.ClientSession() as session,
    ):
        await ws.send("anything")
        assert [json.loads(await ws.recv()) for _ in TRADES] == TRADES
        async with session.get(sim.rest_url + "/nothing") as reply:
            assert reply.status == 404


def test_without_a_market_nothing_is_rendered() -> None:
    market = Market("mine", ["A"])
    exchange = Declared("mine", market, live=False)
    assert list(exchange.render(market.step(), {EVERYTHING: None})) == []
    assert exchange.knows("anything")
    assert exchange.stream_of(EVERYTHING) == ("", "")


def test_tls_without_its_package_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(TickwireError, match=r"needs the package trustme: pip install"):
        server_context("127.0.0.1", tmp_path)
