"""What is made to go wrong goes wrong, where and when it was asked for; seen by a raw client."""

import asyncio
import json
import time
from collections import Counter
from itertools import pairwise

import aiohttp
import pytest
from tests.sim.raw import Raw

from tickwire.errors import ConfigError
from tickwire.sim import Simulator, parse
from tickwire.sim.hyperliquid import Hyperliquid
from tickwire.sim.injector import Active, Injector
from tickwire.sim.market import Market
from tickwire.sim.struck import damaged
from tickwire.sim.truth_log import TruthLog

VENUES = {
    "hyperliquid": ({"type": "trades", "coin": "BTC"}, {"type": "trades", "coin": "ETH"}),
    "binance": ("btcusdt@trade", "ethusdt@trade"),
}
BTC = {"hyperliquid": "BTC", "binance": "BTCUSDT"}
ETH = {"hyperliquid": "ETH", "binance": "ETHUSDT"}


@pytest.fixture(autouse=True)
async def _clients_are_closed():
    yield
    await Raw.close_all()


@pytest.fixture(params=VENUES)
def venue(request):
    return request.param


def simulate(venue, *faults, **options):
    return Simulator(venue, **{"rate": 2000, "faults": faults, **options})


async def opened(sim, *names):
    """Connect and subscribe to BTC, or to what is named."""
    return await Raw.opened(sim, *(names or VENUES[sim.venue][:1]))


def is_data(message):
    return message.get("stream") is not None or message.get("channel") == "trades"


def symbol_of(message):
    if "stream" in message:
        return message["stream"].partition("@")[0].upper()
    return message["data"][0]["coin"]


async def data(client, n):
    """Read data messages."""
    found = []
    while len(found) < n:
        message = await client.message()
        found += [message] if is_data(message) else []
    return found


# Connections.


@pytest.mark.parametrize(
    ("fault", "how", "code"),
    [
        ("reset", "reset", None),
        ("fin", "fin", None),
        ("close", "fin", 1001),
        ("close:1012", "fin", 1012),
        ("close:4001", "fin", 4001),
    ],
)
async def test_a_connection_ends(venue, fault, how, code):
    async with simulate(venue) as sim:
        client = await opened(sim)
        await data(client, 3)
        sim.inject(fault)
        frames, partial, end = await client.end()
        assert (end, partial) == (how, b"")
        closes = [payload for opcode, payload in frames if opcode == 8]
        assert closes == ([code.to_bytes(2, "big")] if code else [])
        assert sim.stats.faults.total() == 1
        # It strikes once.
        again = await opened(sim)
        await data(again, 50)


async def test_a_connection_ends_at_a_message():
    async with simulate("binance", "close:1012@n11") as sim:
        client = await opened(sim)
        frames, _, _ = await client.end()
        texts = [json.loads(payload) for opcode, payload in frames if opcode == 1]
        assert sum(map(is_data, texts)) == 10


async def test_connections_end_again_and_again(venue):
    async with simulate(venue, "reset@50ms/100ms") as sim:
        for _ in range(3):
            client = await opened(sim)
            assert (await client.end())[2] == "reset"
        assert sim.stats.faults["reset"] >= 3


async def test_only_the_connection_of_a_symbol_is_struck(venue):
    async with simulate(venue) as sim:
        first, second = VENUES[venue]
        struck, spared = await opened(sim, first), await opened(sim, second)
        await data(struck, 1)
        await data(spared, 1)
        sim.inject(f"reset={BTC[venue]}")
        assert (await struck.end())[2] == "reset"
        await data(spared, 20)


async def test_one_of_all_is_struck(venue):
    async with simulate(venue) as sim:
        clients = [await opened(sim) for _ in range(4)]
        for client in clients:
            await data(client, 1)
        sim.inject("fin=one")
        await until(lambda: len(sim.connections) < 4)
        for _ in range(2):  # it strikes once, whatever time passes
            await asyncio.sleep(0.02)
            assert len(sim.connections) == 3


async def test_a_frozen_connection_reads_and_sends_nothing(venue):
    async with simulate(venue) as sim:
        client = await opened(sim)
        await data(client, 3)
        sim.inject("freeze")
        assert await client.is_silent()
        client.send(9, b"ping")
        assert await client.is_silent()


async def test_a_frozen_connection_thaws(venue):
    async with simulate(venue) as sim:
        client = await opened(sim)
        await data(client, 3)
        sim.inject("freeze@0s..100ms")
        await until(lambda: sim.stats.faults["freeze"])
        client.send(9, b"ping")
        seen = set()
        while seen != {1, 10}:  # data and the pong
            seen.add((await client.frame())[0])


async def test_a_stalled_connection_answers_and_sends_no_data(venue):
    async with simulate(venue) as sim:
        client = await opened(sim)
        await data(client, 3)
        sim.inject("stall")
        assert await client.is_silent(0.1)
        client.send(9, b"ping")
        assert await client.frame() == (10, b"ping")
        assert await client.is_silent(0.1)


@pytest.mark.parametrize("fault", ["delay", "jitter"])
async def test_what_is_sent_later_keeps_its_order(fault):
    async with simulate("binance") as sim:
        client = await opened(sim)
        found = await data(client, 1)
        sim.inject(f"{fault}:30ms@0s..100ms")
        first_ms = found[0]["data"]["E"]
        while found[-1]["data"]["E"] < first_ms + 200:  # and behind its end
            found += await data(client, 20)
        numbers = [message["data"]["t"] for message in found]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert sim.stats.faults[fault] == 1


async def test_the_venue_ends_a_subscription(venue):
    async with simulate(venue) as sim:
        client = await opened(sim, *VENUES[venue])
        while {symbol_of(each) for each in await data(client, 20)} != {BTC[venue], ETH[venue]}:
            pass
        sim.inject(f"unsubscribe={ETH[venue]}")
        messages = await client.messages(400)
        if venue == "hyperliquid":
            [said] = [each for each in messages if each["channel"] == "subscriptionResponse"]
            assert said["data"] == {
                "method": "unsubscribe",
                "subscription": {"type": "trades", "coin": "ETH"},
            }
        left = {symbol_of(each) for each in messages[-100:]}
        assert left == {BTC[venue]}


# Data messages.


@pytest.mark.parametrize("how", ["truncate", "corrupt"])
async def test_a_message_is_no_json(venue, how):
    async with simulate(venue, f"{how}@n3") as sim:
        client = await opened(sim)
        n_bad, texts = 0, [await client.text() for _ in range(12)]
        for text in texts:
            try:
                json.loads(text)
            except ValueError:
                n_bad += 1
        assert n_bad == 1
        assert sim.stats.faults == {how: 1}


async def test_a_message_lacks_a_field(venue):
    async with simulate(venue, "missing-field@n5") as sim:
        client = await opened(sim)
        messages = await data(client, 10)
        prices = {"hyperliquid": '"px"', "binance": '"p"'}
        assert [prices[venue] in json.dumps(each) for each in messages].count(False) == 1


async def test_messages_are_left_out_repeated_and_out_of_order():
    async with simulate("binance", "drop@n10", "repeat@n20", "reorder@n30") as sim:
        client = await opened(sim)
        ids = [each["data"]["t"] for each in await data(client, 60)]
        steps = [after - before for before, after in pairwise(ids)]
        # A hole of one, a step of none, and one that comes after the next: +2, -1, +2.
        assert Counter(steps) == {1: len(steps) - 5, 2: 3, 0: 1, -1: 1}


async def test_several_in_a_row_out_of_order_are_all_sent():
    async with simulate("binance", "reorder*5@0.2s") as sim:
        client = await opened(sim)
        ids = []
        while sim.stats.faults.total() < 5:
            ids += [each["data"]["t"] for each in await data(client, 10)]
        sim.inject("close")
        frames, _, _ = await client.end()
        texts = [json.loads(payload) for opcode, payload in frames if opcode == 1]
        ids += [each["data"]["t"] for each in texts if is_data(each)]
        assert ids != sorted(ids)
        assert sorted(ids) == list(range(min(ids), min(ids) + len(ids)))


async def test_every_nth_is_struck():
    async with simulate("binance", "drop/10@0s..60s") as sim:
        client = await opened(sim)
        ids = [each["data"]["t"] for each in await data(client, 90)]
        assert sum(after - before - 1 for before, after in pairwise(ids)) in (9, 10)


@pytest.mark.parametrize(("how", "n_holes"), [("break-sequence", 1), ("drop", 1)])
async def test_a_books_sequence_breaks(how, n_holes):
    async with simulate("binance", f"{how}=book@n30") as sim:
        client = await opened(sim, "btcusdt@depth@100ms", "btcusdt@trade")
        events = []
        while len(events) < 60:
            [message] = await data(client, 1)
            if message["stream"].endswith("100ms"):
                events.append(message["data"])
        holes = [after["U"] != before["u"] + 1 for before, after in pairwise(events)]
        assert sum(holes) == n_holes


async def test_an_error_comes_instead(venue):
    async with simulate(venue, "error@n4") as sim:
        client = await opened(sim)
        assert sum("error" in str(each) for each in await client.messages(10)) == 1


async def test_a_frame_breaks_the_protocol(venue):
    async with simulate(venue, "protocol-error@n4") as sim:
        client = await opened(sim)
        assert 3 in [(await client.frame())[0] for _ in range(10)]


@pytest.mark.parametrize("end", ["fin", "reset", "hold"])
async def test_half_a_frame(venue, end):
    async with simulate(venue, f"half-frame:{end}@n4") as sim:
        client = await opened(sim)
        if end == "hold":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.end(), 0.3)
            client.send(9, b"")
            assert await client.is_silent()
        else:
            _, partial, how = await client.end()
            assert how == end
            assert partial or end == "reset"


async def test_a_symbol_is_muted(venue):
    async with simulate(venue) as sim:
        client = await opened(sim, *VENUES[venue])
        while {symbol_of(each) for each in await data(client, 20)} != {BTC[venue], ETH[venue]}:
            pass
        sim.inject(f"mute={ETH[venue]}")
        muted = await data(client, 400)
        assert {symbol_of(each) for each in muted[-100:]} == {BTC[venue]}


def test_a_span_begins_and_ends():
    active = Active(parse("mute=BTC@3s..10s"), given_s=100.0)
    times = (102.9, 103.0, 109.9, 110.0)
    assert [active.is_on(now_s) for now_s in times] == [False, True, True, False]
    endless = Active(parse("mute=BTC@3s.."), given_s=100.0)
    assert [endless.is_on(now_s) for now_s in times] == [False, True, True, True]


# Subscribes.


@pytest.mark.parametrize("kind", ["reject", "reject-late:100ms", "reject-blind:100ms"])
async def test_a_subscription_is_refused(venue, kind):
    async with simulate(venue, f"{kind}={ETH[venue]}") as sim:
        start_s = time.monotonic()
        client = await opened(sim, VENUES[venue][1])
        answer = await client.message()
        assert (time.monotonic() - start_s >= 0.1) == (kind != "reject")
        echo = json.dumps(answer)
        if venue == "hyperliquid":
            assert answer["channel"] == "error"
            assert ("ETH" in echo) == ("blind" not in kind)
        else:
            assert "error" in answer
            assert (answer["id"] == 1) == ("blind" not in kind)
        assert await client.is_silent()
        client.ask(VENUES[venue][0])  # another one is taken
        await data(client, 3)


async def test_a_subscription_is_acknowledged_and_never_delivers(venue):
    async with simulate(venue, f"silent={ETH[venue]}") as sim:
        client = await opened(sim, VENUES[venue][1])
        answer = await client.message()
        assert "error" not in json.dumps(answer)
        assert await client.is_silent()


async def test_a_subscription_is_not_answered(venue):
    async with simulate(venue, f"unanswered={ETH[venue]}@0s..10s") as sim:
        client = await opened(sim, VENUES[venue][1])
        assert await client.is_silent()


async def test_a_subscribe_kills_its_connection(venue):
    async with simulate(venue, f"kill={ETH[venue]}") as sim:
        client = await opened(sim, VENUES[venue][1])
        assert await client.end() == ([], b"", "reset")


# Handshakes.


@pytest.mark.parametrize("status", [429, 503, 403])
async def test_an_upgrade_is_refused(venue, status):
    async with simulate(venue, f"{status}:7*2") as sim:
        for _ in range(2):
            client = await Raw.connect(sim)
            head = await client.upgraded()
            assert head.startswith(f"HTTP/1.1 {status} ".encode())
            assert b"Retry-After: 7\r\n" in head
        await opened(sim)


async def test_a_refusal_need_not_say_when_to_come_again(venue):
    async with simulate(venue, "403") as sim:
        client = await Raw.connect(sim)
        assert b"Retry-After" not in await client.upgraded()


async def test_a_wrong_accept_key(venue):
    async with simulate(venue, "wrong-key") as sim:
        client = await Raw.connect(sim)
        head = await client.upgraded()
        assert head.startswith(b"HTTP/1.1 101 ")
        with pytest.raises(AssertionError):
            await Raw.opened(simulate_again(sim, "wrong-key"))


def simulate_again(sim, fault):
    sim.inject(fault)
    return sim


async def test_garbage_and_a_reset_instead_of_an_answer(venue, monkeypatch):
    monkeypatch.setattr("tickwire.sim.upgrade.GARBAGE_S", 0.05)
    async with simulate(venue, "garbage", "abort") as sim:
        client = await Raw.connect(sim)
        answer = await client.reader.read()
        assert len(answer) > 500
        assert not answer.startswith(b"HTTP")
        client = await Raw.connect(sim)
        with pytest.raises(ConnectionResetError):
            await client.reader.readexactly(1)
        await opened(sim)


async def test_an_answer_comes_byte_by_byte_and_is_right(venue):
    async with simulate(venue, "byte-by-byte:2ms") as sim:
        client = await Raw.connect(sim)
        start_s = time.monotonic()
        pieces = b"".join([await client.reader.readexactly(1) for _ in range(100)])
        assert time.monotonic() - start_s > 0.15
        assert pieces.startswith(b"HTTP/1.1 101 ")
        await client.upgraded()
        client.ask(VENUES[venue][0])
        await data(client, 3)


async def test_an_upgrade_is_never_answered(venue):
    async with simulate(venue, "hang") as sim:
        client = await Raw.connect(sim)
        assert await client.is_silent()


# The whole exchange.


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)


async def test_connections_are_refused_and_open_ones_stay(venue):
    async with simulate(venue) as sim:
        client = await opened(sim)
        sim.inject("refuse@0s..300ms")
        await until(lambda: sim._server is None)
        with pytest.raises(ConnectionRefusedError):
            await Raw.connect(sim)
        await data(client, 20)
        await until(lambda: sim._server is not None)
        await data(await opened(sim), 3)


async def test_all_is_down_and_comes_back_at_the_same_ports(venue):
    async with simulate(venue) as sim, aiohttp.ClientSession() as session:
        urls = sim.ws_url, sim.rest_url
        client = await opened(sim)
        await data(client, 2)
        sim.inject("down@0s..300ms")
        assert (await client.end())[2] == "reset"
        await until(lambda: not sim._rest.is_open)
        with pytest.raises(ConnectionRefusedError):
            await Raw.connect(sim)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(sim.rest_url)
        await until(lambda: sim._server is not None and sim._rest.is_open)
        assert urls == (sim.ws_url, sim.rest_url)
        await data(await opened(sim), 3)
        async with session.get(sim.rest_url) as reply:
            assert reply.status == 404


async def test_a_slow_reader_is_cut_off_with_a_backlog(venue):
    async with simulate(venue, "backlog:64k", rate=20_000) as sim:
        client = await Raw.opened(sim, VENUES[venue][0], receive_bytes=8192)
        await until(lambda: sim.stats.faults["backlog"])
        frames, _, how = await client.end()
        assert how == "reset"
        assert len(frames) > 100  # what was in the kernels came


async def test_the_venues_clock_is_off(venue):
    async with simulate(venue, "clock:-30s") as sim:
        client = await opened(sim)
        message = (await data(client, 1))[0]
        ms = message["data"]["T"] if venue == "binance" else message["data"][-1]["time"]
        now_ms = time.time() * 1000
        if venue == "hyperliquid":  # its first message repeats what was traded before
            ms = (await data(client, 1))[0]["data"][-1]["time"]
        assert -40_000 < ms - now_ms < -25_000


# REST.


async def ask(session, sim):
    """Ask for a book: (status, Retry-After, the book's last id or time)."""
    if sim.venue == "binance":
        request = session.get(sim.rest_url + "/api/v3/depth?symbol=BTCUSDT")
    else:
        request = session.post(sim.rest_url + "/info", json={"type": "l2Book", "coin": "BTC"})
    async with request as reply:
        body = await reply.json() if reply.status == 200 else None
        return reply.status, reply.headers.get("Retry-After"), body


async def test_rest_is_refused_then_slow(venue):
    faults = "rest-429:3", "rest-418:5*2", "rest-slow:50ms"
    async with simulate(venue, *faults) as sim, aiohttp.ClientSession() as session:
        start_s = time.monotonic()
        answers = [(await ask(session, sim))[:2] for _ in range(4)]
        assert answers == [(429, "3"), (418, "5"), (418, "5"), (200, None)]
        assert time.monotonic() - start_s >= 0.2


async def test_rest_gives_the_state_of_before():
    async with simulate("binance") as sim, aiohttp.ClientSession() as session:
        client = await opened(sim)
        sim.inject("rest-stale")
        old = (await ask(session, sim))[2]
        await data(client, 50)
        assert (await ask(session, sim))[2] == old


async def test_rest_gives_the_state_of_now_again():
    async with simulate("binance") as sim, aiohttp.ClientSession() as session:
        await opened(sim)
        sim.inject("rest-stale@0s..50ms")
        await until(lambda: sim._injector.is_rest_stale)
        old = (await ask(session, sim))[2]
        await until(lambda: not sim._injector.is_rest_stale)
        assert (await ask(session, sim))[2]["lastUpdateId"] > old["lastUpdateId"]


async def test_rest_hangs_and_is_dead(venue):
    async with simulate(venue) as sim, aiohttp.ClientSession() as session:
        sim.inject("rest-hang@0s..200ms")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(session, sim), 0.1)
        sim.inject("rest-dead@0s..200ms")
        await until(lambda: not sim._rest.is_open)
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(session, sim)
        await until(lambda: sim._rest.is_open)
        assert (await ask(session, sim))[0] == 200
        await opened(sim)  # the other server never was


# Asked for at will, and wrongly.


@pytest.mark.parametrize("code", [1001, None])
async def test_all_are_disconnected_at_will(code):
    async with simulate("binance") as sim:
        clients = [await opened(sim) for _ in range(3)]
        for client in clients:
            await data(client, 1)
        sim.disconnect_all(code)
        for client in clients:
            frames, _, _ = await client.end()
            assert [each[0] for each in frames].count(8) == (code is not None)
        await data(await opened(sim), 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("resets", "no fault resets; did you mean reset?"),
        ("xyzzy", "no fault xyzzy; --fault help lists all"),
        ("299", "no fault 299"),
        ("499", "no fault 499"),
        ("reset@5", "@5: should be a time such as 5s, 3s..10s, 5s/12s, or n100"),
        ("reset@10s..3s", "@10s..3s: ends before it begins"),
        ("close:5", ":5: should be a close code, 1000 to 4999"),
        ("close:abc", ":abc: should be a close code"),
        ("reset:1", ":1: takes none"),
        ("half-frame:maybe", ":maybe: should be fin, reset or hold"),
        ("backlog:lots", ":lots: should be a number of bytes"),
        ("mute*3=BTC", "*3: mute lasts, and has no occasions to count"),
        ("drop/0", "/0: drop has to count from 1"),
        ("reset@1s/0.5ms", "@1s/0.5ms: cannot repeat so often"),
        ("drop@1s/2s", "@1s/2s: only what strikes at a time repeats: reset, fin, close"),
        ("429@n5", "@n5: 429 does not strike at messages"),
        ("unsubscribe@5s", "needs a target: unsubscribe=SYMBOL"),
        ("", "should be KIND[:ARG]"),
        ("=BTC", "should be KIND[:ARG]"),
    ],
)
def test_what_is_no_fault_is_named(text, problem):
    with pytest.raises(ConfigError) as wrong:
        parse(text)
    assert wrong.value.problems[0].startswith(f"--fault {text}: {problem}")


def test_a_venue_without_numbers_has_no_sequence_to_break():
    with pytest.raises(ConfigError, match="hyperliquid has no ids"):
        Simulator("hyperliquid", faults=["break-sequence"])


@pytest.mark.parametrize(
    ("text", "targets", "start_s", "end_s"),
    [
        ("mute=BTC@3s..10s", ("BTC",), 3.0, 10.0),
        ("mute=@107@500ms..", ("@107",), 0.5, float("inf")),
        ("mute=@107", ("@107",), 0.0, None),
        ("mute=xyz:TSLA,BTC@2m", ("xyz:TSLA", "BTC"), 120.0, None),
    ],
)
def test_symbols_may_hold_what_separates(text, targets, start_s, end_s):
    fault = parse(text)
    assert (fault.targets, fault.start_s, fault.end_s) == (targets, start_s, end_s)


def test_a_message_without_the_fields_that_it_needs_becomes_empty():
    assert damaged(b'{"a":1,"b":2}', "missing-field", [b'"b"']) == b'{"a":1,"_b":2}'
    assert damaged(b'{"a":1}', "missing-field", [b'"b"']) == b"{}"


class Connection:
    """As much of a connection as the injector looks at."""

    is_open = True

    def __init__(self, number):
        self.number = number
        self.struck = []

    def streams(self):
        return [("trades", "BTC")]

    def strike(self, fault):
        self.struck.append(fault.name)


def test_messages_of_one_connection_are_struck_until_it_is_gone():
    injector = Injector(["drop=one@0s..1000s"], None, 1, Counter())
    connections = [Connection(number) for number in range(3)]
    injector.start()
    injector.tick(connections)

    def struck():
        return [
            each.number
            for each in connections
            if each.is_open and injector.on_message(each, 1, "trades", "BTC") is not None
        ]

    [chosen] = struck()
    assert [struck() for _ in range(5)] == [[chosen]] * 5
    connections[chosen].is_open = False
    [another] = struck()
    assert another != chosen
    assert struck() == [another]


def test_a_storm_strikes_one_fault_after_the_other():
    faults = [parse("reset@0s"), parse("close@0s"), parse("reset@1000s")]
    injector = Injector([], iter(faults), 1, counts := Counter())
    connection = Connection(0)
    injector.start()
    for _ in range(3):
        injector.tick([connection])
    assert connection.struck == ["reset", "close"]
    assert counts == {"reset": 1, "close": 1}


def test_what_lasts_is_counted_in_the_log_of_truth(tmp_path):
    injector = Injector([], None, 1, counts := Counter())
    injector.truth = TruthLog(
        tmp_path / "truth.jsonl", Hyperliquid("hyperliquid", Market("hyperliquid", ["BTC"]))
    )
    injector.note("mute", 4)
    injector.truth.close()
    assert counts == {"mute": 1}
    [line] = (tmp_path / "truth.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["fault"], event["connection"]) == ("fault", "mute", 4)
