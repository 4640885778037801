"""The simulated Binance, spoken to by an independent client (websockets, aiohttp).

A client that leaves data unread has `max_queue=None`: else its end waits 10 s for a close
frame that it does not read.
"""

import asyncio
import json
from decimal import Decimal
from itertools import pairwise

import aiohttp
import pytest
import websockets

from tickwire.sim import Simulator

SYMBOLS = {"binance": "BTCUSDT", "binance-usdm": "BTCUSDT", "binance-coinm": "BTCUSD_PERP"}
PATHS = {"binance": "/stream", "binance-usdm": "/public/stream", "binance-coinm": "/stream"}
DEPTH = {
    "binance": "/api/v3/depth",
    "binance-usdm": "/fapi/v1/depth",
    "binance-coinm": "/dapi/v1/depth",
}
VENUES = list(SYMBOLS)


async def request(ws, method, *names, number=1):
    await ws.send(json.dumps({"method": method, "params": names, "id": number}))


async def answer(ws):
    """The next message that is not data."""
    while "stream" in (message := json.loads(await ws.recv())):
        pass
    return message


async def data(ws, stream):
    """The data of the next message of this stream."""
    while (message := json.loads(await ws.recv())).get("stream") != stream:
        pass
    return message["data"]


async def snapshot(simulator, symbol, **query):
    async with aiohttp.ClientSession() as session:
        url = simulator.rest_url + DEPTH[simulator.venue]
        async with session.get(url, params={"symbol": symbol, **query}) as reply:
            return reply.status, await reply.json()


class Book:
    """An independent book: a snapshot, then deltas by the venue's rule."""

    def __init__(self, is_spot, snapshot):
        self.is_spot = is_spot
        self.last = snapshot["lastUpdateId"]
        self.is_first = True
        self.sides = {
            "b": {Decimal(price): Decimal(size) for price, size in snapshot["bids"]},
            "a": {Decimal(price): Decimal(size) for price, size in snapshot["asks"]},
        }

    def apply(self, event):
        if event["u"] <= self.last if self.is_spot else event["u"] < self.last:
            assert self.is_first
            return False
        if self.is_first:
            if self.is_spot:
                assert event["U"] <= self.last + 1 <= event["u"]
            else:
                assert event["U"] <= self.last <= event["u"]
        elif self.is_spot:
            assert event["U"] == self.last + 1
        else:
            assert event["pu"] == self.last
        self.is_first, self.last = False, event["u"]
        for side, levels in self.sides.items():
            for price, size in event[side]:
                if Decimal(size):
                    levels[Decimal(price)] = Decimal(size)
                else:
                    levels.pop(Decimal(price), None)
        return True

    def top(self, side, n):
        return sorted(self.sides[side].items(), reverse=side == "b")[:n]


def numbers(levels):
    return [(Decimal(price), Decimal(size)) for price, size in levels]


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("speed", ["", "@100ms", "@0ms"])
async def test_deltas_on_the_snapshot_give_the_partial_book_and_the_touch(venue, speed):
    if venue == "binance" and speed == "@0ms":
        speed = "@1000ms"
    symbol = SYMBOLS[venue]
    name = symbol.lower()
    fast = "@100ms" if venue == "binance" else "@0ms"
    async with (
        Simulator(venue, rate=3000, symbols=[symbol], seed=11) as sim,
        websockets.connect(sim.ws_url + PATHS[venue], max_queue=None) as ws,
    ):
        deltas, partial, touch = (
            f"{name}@depth{speed}",
            f"{name}@depth20{fast}",
            f"{name}@bookTicker",
        )
        await request(ws, "SUBSCRIBE", deltas, partial, touch)
        assert await answer(ws) == {"result": None, "id": 1}
        buffered = [await data(ws, deltas) for _ in range(2)]
        status, whole = await snapshot(sim, symbol, limit=1000)
        assert status == 200
        book = Book(venue == "binance", whole)
        assert len(whole["bids"]) > 100
        for event in buffered:
            book.apply(event)
        n_partial = n_touch = 0
        states, waiting = {}, []
        while n_partial < 20 or n_touch < 20:
            message = json.loads(await ws.recv())
            stream, event = message["stream"], message["data"]
            if stream == deltas:
                if book.apply(event):
                    states[book.last] = {side: book.top(side, 20) for side in "ba"}
                continue
            waiting.append((stream, event))
            # Compared where the same update id is known from the deltas.
            later = []
            for stream, event in waiting:
                update_id = event.get("u", event.get("lastUpdateId"))
                if update_id > book.last:
                    later.append((stream, event))
                elif update_id in states and stream == partial:
                    state = states[update_id]
                    assert numbers(event.get("bids", event.get("b"))) == state["b"]
                    assert numbers(event.get("asks", event.get("a"))) == state["a"]
                    n_partial += 1
                elif update_id in states:
                    state = states[update_id]
                    assert numbers([(event["b"], event["B"])]) == state["b"][:1]
                    assert numbers([(event["a"], event["A"])]) == state["a"][:1]
                    n_touch += 1
            waiting = later


@pytest.mark.parametrize("venue", VENUES)
async def test_a_snapshot_fits_when_no_event_came_before_it(venue):
    symbol = SYMBOLS[venue]
    async with (
        Simulator(venue, rate=2000, symbols=[symbol]) as sim,
        websockets.connect(sim.ws_url + PATHS[venue], max_queue=None) as ws,
    ):
        sim.pause()
        stream = f"{symbol.lower()}@depth@100ms"
        await request(ws, "SUBSCRIBE", stream)
        await answer(ws)
        _, whole = await snapshot(sim, symbol)
        sim.resume()
        book = Book(venue == "binance", whole)
        for _ in range(20):
            assert book.apply(await data(ws, stream))


async def test_usdm_acknowledges_a_wrong_side_stream_and_stays_silent():
    async with Simulator("binance-usdm", rate=2000) as sim:
        for path, right, wrong in [
            ("/public/stream", "btcusdt@trade", "btcusdt@aggTrade"),
            ("/market/stream", "btcusdt@aggTrade", "btcusdt@bookTicker"),
            ("/stream", "btcusdt@bookTicker", "btcusdt@markPrice@1s"),
        ]:
            async with websockets.connect(sim.ws_url + path, max_queue=None) as ws:
                await request(ws, "SUBSCRIBE", wrong, right, "nosuch@trade", number=7)
                assert await answer(ws) == {"result": None, "id": 7}
                streams = {json.loads(await ws.recv())["stream"] for _ in range(200)}
                assert streams == {right}
                await request(ws, "LIST_SUBSCRIPTIONS", number=8)
                listed = await answer(ws)
                assert sorted(listed["result"]) == sorted([right, wrong, "nosuch@trade"])


async def test_unsubscribing_stops_the_stream():
    async with (
        Simulator("binance", rate=2000) as sim,
        websockets.connect(
            sim.ws_url + "/stream?streams=btcusdt@trade/ethusdt@trade", max_queue=None
        ) as ws,
    ):
        await data(ws, "btcusdt@trade")
        await request(ws, "UNSUBSCRIBE", "btcusdt@trade")
        assert await answer(ws) == {"result": None, "id": 1}
        assert {json.loads(await ws.recv())["stream"] for _ in range(100)} == {"ethusdt@trade"}


async def test_the_bare_path_sends_data_without_an_envelope():
    async with (
        Simulator("binance", rate=500) as sim,
        websockets.connect(sim.ws_url + "/ws/btcusdt@trade", max_queue=None) as ws,
    ):
        trade = json.loads(await ws.recv())
        assert list(trade) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"NOSUCH","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"x","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["a"],"id":1.5}', 2),
    ],
)
async def test_what_is_no_request_is_an_error(text, code):
    async with Simulator("binance") as sim, websockets.connect(sim.ws_url + "/stream") as ws:
        await ws.send(text)
        assert (await answer(ws))["error"]["code"] == code


@pytest.mark.parametrize(("venue", "limit"), [("binance", 5), ("binance-usdm", 10)])
async def test_too_many_messages_close_the_connection(venue, limit):
    async with Simulator(venue) as sim, websockets.connect(sim.ws_url + "/stream") as ws:
        for number in range(limit - 1):
            await request(ws, "LIST_SUBSCRIPTIONS", number=number)
            assert (await answer(ws))["id"] == number
        await (await ws.ping())
        await request(ws, "LIST_SUBSCRIPTIONS")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await answer(ws)
        assert closed.value.rcvd.code == 1008


async def test_rest_refuses_what_the_venue_refuses():
    async with Simulator("binance-usdm") as sim:
        assert await snapshot(sim, "NOSUCH") == (400, {"code": -1121, "msg": "Invalid symbol."})
        status, _ = await snapshot(sim, "BTCUSDT", limit=7)
        assert status == 400
        status, whole = await snapshot(sim, "BTCUSDT", limit=5)
        assert (status, len(whole["bids"]), len(whole["asks"])) == (200, 5, 5)
        async with (
            aiohttp.ClientSession() as session,
            session.get(sim.rest_url + "/api/v3/depth") as reply,
        ):
            assert reply.status == 404


@pytest.mark.parametrize("venue", VENUES)
async def test_trades_and_aggregates_and_klines_agree(venue):
    symbol = SYMBOLS[venue]
    name = symbol.lower()
    async with Simulator(venue, rate=3000, symbols=[symbol]) as sim:
        sim.pause()
        base = "/market/stream" if venue == "binance-usdm" else PATHS[venue]
        async with (
            websockets.connect(sim.ws_url + PATHS[venue], max_queue=None) as public,
            websockets.connect(sim.ws_url + base, max_queue=None) as market,
        ):
            await request(public, "SUBSCRIBE", f"{name}@trade")
            await answer(public)
            await request(market, "SUBSCRIBE", f"{name}@aggTrade", f"{name}@kline_1M")
            await answer(market)
            sim.resume()
            trades, aggregates, kline = {}, [], None
            while len(aggregates) < 100:
                message = json.loads(await market.recv())["data"]
                if message["e"] == "aggTrade":
                    aggregates.append(message)
                else:
                    kline = message["k"]
            sim.pause()
            while aggregates[-1]["l"] not in trades:
                trade = await data(public, f"{name}@trade")
                trades[trade["t"]] = trade
    for before, after in pairwise(aggregates):
        assert (after["a"], after["f"]) == (before["a"] + 1, before["l"] + 1)
    for aggregate in aggregates:
        parts = [trades[number] for number in range(aggregate["f"], aggregate["l"] + 1)]
        assert {(part["p"], part["m"]) for part in parts} == {(aggregate["p"], aggregate["m"])}
        assert sum(Decimal(part["q"]) for part in parts) == Decimal(aggregate["q"])
    upto = [trade for number, trade in trades.items() if number <= kline["L"]]
    assert kline["n"] == kline["L"] - kline["f"] + 1 == len(upto)
    assert Decimal(kline["v"]) == sum(Decimal(trade["q"]) for trade in upto)
    assert (kline["o"], kline["c"]) == (upto[0]["p"], upto[-1]["p"])


@pytest.mark.parametrize("venue", VENUES)
async def test_every_stream_delivers(venue):
    symbol = SYMBOLS[venue].lower()
    public = [f"{symbol}@trade", f"{symbol}@bookTicker", "!bookTicker"]
    public += [f"{symbol}@depth{n}@100ms" for n in (5, 10, 20)]
    market = [f"{symbol}@{kind}" for kind in ("aggTrade", "kline_1m", "ticker")] + ["!ticker@arr"]
    if venue != "binance":
        public += [f"{symbol}@depth{speed}" for speed in ("", "@0ms", "@250ms", "@500ms")]
        market += [f"{symbol}@{kind}" for kind in ("markPrice", "markPrice@1s", "forceOrder")]
        market += ["!markPrice@arr@1s", "!forceOrder@arr"]
    groups = {"/stream": public + market}
    if venue == "binance-usdm":
        groups = {"/public/stream": public, "/market/stream": market}
    async with Simulator(venue, rate=0, symbols=[symbol.upper()], limit=20_000) as sim:
        for path, names in groups.items():
            async with websockets.connect(sim.ws_url + path, max_queue=None) as ws:
                await request(ws, "SUBSCRIBE", *names)
                missing = set(names)
                while missing:
                    message = json.loads(await ws.recv())
                    missing.discard(message.get("stream"))


async def test_the_server_pings_and_counts_the_pongs():
    async with (
        Simulator("binance", ping_every_s=0.05) as sim,
        websockets.connect(sim.ws_url + "/stream"),
    ):
        while sim.stats.pongs < 2:  # noqa: ASYNC110 - the statistics are plain numbers
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("venue", VENUES)
async def test_rest_gives_the_trades_that_were_sent(venue):
    root = DEPTH[venue].removesuffix("depth")
    symbol = SYMBOLS[venue]
    streams = {"trade": "t", "aggTrade": "a"}
    async with Simulator(venue, rate=3000, symbols=[symbol]) as simulator:
        names = [f"{symbol.lower()}@{kind}" for kind in streams]
        found = {}
        for name, path in zip(names, ("/public/stream", "/market/stream"), strict=True):
            path = path if venue == "binance-usdm" else "/stream"
            url = simulator.ws_url + path
            async with websockets.connect(url, max_queue=None) as ws:
                await request(ws, "SUBSCRIBE", name)
                found[name] = [await data(ws, name) for _ in range(30)]
        async with aiohttp.ClientSession() as session:

            async def get(path, **query):
                query = {"symbol": symbol, **query}
                async with session.get(simulator.rest_url + root + path, params=query) as reply:
                    return reply.status, await reply.json()

            trades, aggregates = (found[name] for name in names)
            status, rest = await get("aggTrades", fromId=aggregates[0]["a"], limit=30)
            kept = ("a", "p", "q", "f", "l", "T", "m")
            assert status == 200
            assert [{key: each[key] for key in kept} for each in rest] == [
                {key: each[key] for key in kept} for each in aggregates
            ]
            path = "historicalTrades" if venue == "binance" else "trades"
            query = {"limit": 30, "fromId": trades[0]["t"]}
            query = query if venue == "binance" else {"limit": 1000}
            status, rest = await get(path, **query)
            by_id = {each["id"]: each for each in rest}
            assert [
                [by_id[each["t"]][key] for key in ("price", "qty", "time", "isBuyerMaker")]
                for each in trades
            ] == [[each[key] for key in "pqTm"] for each in trades]
            ids = sorted(by_id)
            assert ids == list(range(ids[0], ids[-1] + 1))
            assert (await get("trades", limit=5))[1][-1]["id"] >= ids[-1]
            assert (await get("aggTrades", limit=1001))[0] == 400
            assert (await get("aggTrades", fromId="x"))[0] == 400
            if venue != "binance":
                assert (await get("historicalTrades", fromId=1))[0] == 401
