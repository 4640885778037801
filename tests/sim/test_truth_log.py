"""The log has every message, numbered, and who got it."""

import asyncio
import json
import re
import socket

import pytest
from tests.sim.raw import Raw

from tickwire.errors import TickwireError
from tickwire.sim import Simulator
from tickwire.sim.chaos import storm
from tickwire.sim.unconfirmed import Unconfirmed

NAMES = {
    "hyperliquid": ({"type": "trades", "coin": "BTC"}, {"type": "bbo", "coin": "BTC"}),
    "binance": ("btcusdt@trade", "btcusdt@bookTicker"),
}


@pytest.fixture(autouse=True)
async def _clients_are_closed():
    yield
    await Raw.close_all()


def lines_of(path, event=None):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if event in (None, line["event"])]


def ids_in(texts):
    return [found for text in texts for found in re.findall(r'"(?:tid|t)":(\d+)', text)]


@pytest.mark.parametrize("venue", NAMES)
async def test_every_message_is_a_line_and_the_client_has_what_it_says(venue, tmp_path):
    path = tmp_path / "sent.jsonl"
    async with Simulator(venue, rate=2000, log=path, limit=500) as sim:
        client = await Raw.opened(sim, *NAMES[venue])
        await sim.finished()
        sim.disconnect_all()
        frames, _, _ = await client.end()
    texts = [payload.decode() for opcode, payload in frames if opcode == 1]
    lines = lines_of(path, "message")
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(line["to"] == [0] for line in lines)
    trades = [line for line in lines if line["table"] == "trades"]
    assert [number for line in trades for number in line["ids"]] == ids_in(texts)
    assert sum(line["rows"] for line in trades) == len(ids_in(texts))
    quotes = [line for line in lines if line["table"] == "quotes"]
    assert quotes
    assert all(len(line["ids"]) == (venue == "binance") for line in quotes)
    assert {line["symbol"] for line in lines} == {"BTC" if venue == "hyperliquid" else "BTCUSDT"}
    assert [line["event"] for line in lines_of(path) if line["event"] != "message"] == [
        "start", "connected", "ended",
    ]  # fmt: skip


async def test_the_market_goes_on_without_a_connection_and_says_so(tmp_path):
    path = tmp_path / "sent.jsonl"
    async with Simulator("binance", rate=2000, log=path) as sim:
        client = await Raw.opened(sim, "btcusdt@trade")
        for _ in range(20):
            await client.message()
        sim.inject("reset")
        assert (await client.end())[2] == "reset"
        await asyncio.sleep(0.1)
        again = await Raw.opened(sim, "btcusdt@trade")
        for _ in range(20):
            await again.message()
    [line] = lines_of(path, "fault")
    assert (line["fault"], line["connection"]) == ("reset", 0)
    to = [tuple(line["to"]) for line in lines_of(path, "message")]
    order = [group for n, group in enumerate(to) if n == 0 or to[n - 1] != group]
    assert order == [(0,), (), (1,)]
    assert to.count(()) > 50
    ends = lines_of(path, "ended")
    assert ends[0]["by"] == "reset"
    ids = [int(line["ids"][0]) for line in lines_of(path, "message")]
    assert ids == list(range(ids[0], ids[0] + len(ids)))  # every trade is there once


async def test_what_a_fault_struck_is_said(tmp_path):
    path = tmp_path / "sent.jsonl"
    at = {"drop": 5, "corrupt": 10, "repeat": 15}
    faults = [*(f"{kind}=BTCUSDT@n{n}" for kind, n in at.items()), "mute=ETHUSDT"]
    async with Simulator("binance", rate=2000, log=path, faults=faults) as sim:
        client = await Raw.opened(sim, "btcusdt@trade", "ethusdt@trade")
        while sim.stats.messages < 40:
            await client.text()
    lines = [line for line in lines_of(path, "message") if line["symbol"] == "BTCUSDT"]
    struck = {line["struck"]["0"]: line["to"] for line in lines if "struck" in line}
    assert struck == {"drop": [], "corrupt": [], "repeat": [0]}
    muted = [line for line in lines_of(path, "message") if line["symbol"] == "ETHUSDT"]
    assert muted
    assert all(line["to"] == [] for line in muted)


async def test_what_a_slow_reader_never_got_is_unsure(tmp_path):
    path = tmp_path / "sent.jsonl"
    faults = ["backlog:64k"]
    async with Simulator("binance", rate=20_000, log=path, faults=faults) as sim:
        client = await Raw.opened(sim, "btcusdt@trade", receive_bytes=8192)
        async with asyncio.timeout(20):
            while not sim.stats.faults["backlog"]:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        frames, _, _ = await client.end()
    got = set(ids_in(payload.decode() for opcode, payload in frames if opcode == 1))
    [ended] = [line for line in lines_of(path, "ended") if line["connection"] == 0]
    assert ended["by"] == "backlog"
    sent = {line["number"]: line["ids"][0] for line in lines_of(path, "message") if line["to"]}
    unsure = {sent[number] for number in ended["unsure"]}
    assert unsure
    # What is sure came, every one.
    assert {*sent.values()} - unsure <= got


async def test_what_is_sent_behind_a_broken_frame_is_unsure(tmp_path):
    path = tmp_path / "sent.jsonl"
    faults = ["protocol-error=BTCUSDT@n20"]
    async with Simulator("binance", rate=2000, log=path, faults=faults) as sim:
        client = await Raw.opened(sim, "btcusdt@trade")
        for _ in range(50):  # it takes every byte, as a kernel does for a client that has stopped
            await client.text()
        client.close()
        await client.end()
        async with asyncio.timeout(20):
            while sim.connections:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
    lines = lines_of(path, "message")
    broken = next(line["number"] for line in lines if "struck" in line)
    [ended] = lines_of(path, "ended")
    behind = [line["number"] for line in lines if line["number"] > broken and line["to"]]
    assert len(behind) >= 30
    assert set(behind) <= set(ended["unsure"])
    assert not {*range(1, 11)} & set(ended["unsure"])  # long acknowledged


async def test_nothing_counts_as_sent_behind_the_answer_to_a_close(tmp_path):
    path = tmp_path / "sent.jsonl"
    async with Simulator("binance", rate=2000, log=path) as sim:
        client = await Raw.opened(sim, "btcusdt@trade")
        await client.text()
        [connection] = sim.connections
        left = []
        answer = connection.on_ws_frame

        def on_ws_frame(transport, frame):
            answer(transport, frame)
            left.append(connection.is_open)  # what the market makes before the transport's end

        connection.on_ws_frame = on_ws_frame
        client.send(8, b"")
        await client.end()
    assert left[-1] is False


class Closing:
    """A transport that drops what it gets, over a socket whose queue is empty."""

    def __init__(self, sock):
        self.sock = sock

    def get_extra_info(self, name):
        return self.sock if name == "socket" else None

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return True


def test_what_a_closing_transport_gets_is_not_confirmed():
    sock, other = socket.socketpair()
    with sock, other:
        unconfirmed = Unconfirmed()
        unconfirmed.add(7, 100)
        unconfirmed.confirm(Closing(sock))
        assert unconfirmed.numbers == [7]


def test_a_log_that_cannot_be_written_is_an_error(tmp_path):
    async def run():
        async with Simulator(log=tmp_path / "missing" / "x"):
            pass

    with pytest.raises(TickwireError, match=r"cannot write .*: No such file or directory"):
        asyncio.run(run())


@pytest.mark.parametrize("venue", NAMES)
def test_a_storm_can_be_had_again(venue):
    def faults(seed):
        weather = storm(seed, venue, ["BTC", "ETH"])
        return [next(weather) for _ in range(400)]

    assert faults(1) == faults(1)
    assert faults(1) != faults(2)
    times = [fault.start_s for fault in faults(1)]
    assert times == sorted(times)
    assert 1000 < times[-1] < 1400  # 3 s on average
    kinds = {fault.name for fault in faults(1)}
    assert len(kinds) > 25
    assert ("rest-stale" in kinds) == (venue == "binance")
