"""The simulated Hyperliquid, spoken to by an independent client (websockets, aiohttp)."""

import asyncio
import base64
import json
import zlib

import aiohttp
import pytest
import websockets

from tickwire.sim import Simulator
from tickwire.sim.exchange import Client
from tickwire.sim.hyperliquid import Hyperliquid
from tickwire.sim.market import Market


async def ask(ws, **request):
    await ws.send(json.dumps(request))


async def subscribe(ws, **subscription):
    await ask(ws, method="subscribe", subscription=subscription)


async def receive(ws, channel):
    """The data of the next message of this channel."""
    while True:
        message = json.loads(await ws.recv())
        if message["channel"] == channel:
            return message.get("data")


@pytest.fixture
async def simulator():
    async with Simulator("hyperliquid", rate=2000, symbols=["BTC", "ETH", "kPEPE"], seed=5) as sim:
        yield sim


@pytest.fixture
async def ws(simulator):
    async with websockets.connect(simulator.ws_url + "/ws", max_queue=None) as client:
        yield client


async def test_echo_is_normalised(ws):
    await subscribe(ws, type="l2Book", coin="BTC", unknown=1)
    assert await receive(ws, "subscriptionResponse") == {
        "method": "subscribe",
        "subscription": {
            "type": "l2Book",
            "coin": "BTC",
            "nSigFigs": None,
            "mantissa": None,
            "fast": False,
        },
    }


async def test_ping_is_answered_without_data(ws):
    await ask(ws, method="ping")
    assert json.loads(await ws.recv()) == {"channel": "pong"}


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", '{"method":"x"}', '{"method":"subscribe","xsubscription":{}}']
)
async def test_what_is_no_request_is_an_error(ws, text):
    await ws.send(text)
    message = json.loads(await ws.recv())
    assert message["channel"] == "error"
    assert message["data"] == f"Error parsing JSON into valid websocket request: {text}"


@pytest.mark.parametrize(
    "subscription",
    [
        {"type": "trades", "coin": "NOSUCH"},
        {"type": "trades"},
        {"type": "candle", "coin": "BTC", "interval": "7m"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 9},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
    ],
)
async def test_what_the_venue_lacks_is_an_invalid_subscription(ws, subscription):
    await subscribe(ws, **subscription)
    message = json.loads(await ws.recv())
    text = json.dumps(subscription, separators=(",", ":"))
    assert message == {"channel": "error", "data": f"Invalid subscription {text}"}


async def test_subscribing_twice_and_unsubscribing_twice_are_errors(ws):
    bbo = {"type": "bbo", "coin": "BTC"}
    await subscribe(ws, **bbo)
    await subscribe(ws, **bbo)
    assert (await receive(ws, "error")).startswith("Already subscribed: ")
    await ask(ws, method="unsubscribe", subscription=bbo)
    answer = await receive(ws, "subscriptionResponse")
    while answer["method"] == "subscribe":
        answer = await receive(ws, "subscriptionResponse")
    await ask(ws, method="unsubscribe", subscription=bbo)
    assert (await receive(ws, "error")).startswith("Already unsubscribed: ")


async def test_only_what_is_subscribed_comes(ws):
    await subscribe(ws, type="bbo", coin="ETH")
    messages = [json.loads(await ws.recv()) for _ in range(100)]
    assert messages[0]["channel"] == "subscriptionResponse"
    assert {(m["channel"], m["data"]["coin"]) for m in messages[1:]} == {("bbo", "ETH")}


async def test_first_trades_were_already_printed(simulator, ws):
    await subscribe(ws, type="trades", coin="BTC")
    first = await receive(ws, "trades")
    assert len(first) > 1
    simulator.pause()
    async with websockets.connect(simulator.ws_url + "/ws", max_queue=None) as other:
        await subscribe(other, type="trades", coin="BTC")
        repeated = {trade["tid"] for trade in await receive(other, "trades")}
    simulator.resume()
    seen = {trade["tid"] for trade in first}
    while not repeated <= seen:
        seen |= {trade["tid"] for trade in await receive(ws, "trades")}
    assert simulator.stats.repeated["trades"] == len(repeated)


async def test_trades_have_the_venues_shape_and_each_id_once(ws):
    await subscribe(ws, type="trades", coin="kPEPE")
    ids = []
    while len(ids) < 500:
        for trade in await receive(ws, "trades"):
            assert list(trade) == ["coin", "side", "px", "sz", "time", "hash", "tid", "users"]
            assert trade["coin"] == "kPEPE"
            assert trade["side"] in "AB"
            assert float(trade["px"]) > 0
            assert float(trade["sz"]) > 0
            assert len(trade["hash"]) == 66
            assert [len(user) for user in trade["users"]] == [42, 42]
            ids.append(trade["tid"])
    assert len(set(ids)) == len(ids)


async def test_books_are_whole_sorted_and_agree_with_the_bbo(ws):
    await subscribe(ws, type="bbo", coin="BTC")
    await subscribe(ws, type="l2Book", coin="BTC")
    await subscribe(ws, type="l2Book", coin="BTC", fast=True)
    await subscribe(ws, type="l2Book", coin="BTC", nSigFigs=5, mantissa=5)
    n_whole, top = 0, None
    while n_whole < 50:
        message = json.loads(await ws.recv())
        data = message["data"]
        if message["channel"] == "bbo":
            top = data["bbo"]
        elif message["channel"] == "l2Book":
            bids, asks = data["levels"]
            bid_prices = [float(level["px"]) for level in bids]
            ask_prices = [float(level["px"]) for level in asks]
            assert bid_prices == sorted(set(bid_prices), reverse=True)
            assert ask_prices == sorted(set(ask_prices))
            assert bid_prices[0] < ask_prices[0]
            assert all(float(level["sz"]) > 0 and level["n"] > 0 for level in bids + asks)
            if "spread" in data:
                assert all(price % 5 == 0 for price in bid_prices + ask_prices)
                continue
            assert len(bids) == len(asks) == (5 if data.get("fast") else 20)
            assert [bids[0], asks[0]] == top
            n_whole += 1


async def test_candles_add_up_the_trades(ws):
    await subscribe(ws, type="candle", coin="BTC", interval="1m")
    await subscribe(ws, type="candle", coin="BTC", interval="1M")
    await subscribe(ws, type="trades", coin="BTC")
    await receive(ws, "trades")
    before = None
    for _ in range(200):
        trades = await receive(ws, "trades")
        candle = await receive(ws, "candle")
        month = await receive(ws, "candle")
        assert month["i"] == "1M"
        assert candle["t"] <= trades[-1]["time"] <= candle["T"]
        assert month["t"] <= candle["t"] < month["T"]
        assert candle["c"] == trades[-1]["px"]
        assert float(candle["l"]) <= float(candle["c"]) <= float(candle["h"])
        if before is not None and before["t"] == candle["t"]:
            assert candle["n"] - before["n"] == len(trades)
            added = sum(float(trade["sz"]) for trade in trades)
            assert float(candle["v"]) - float(before["v"]) == pytest.approx(added, abs=1e-9)
        before = candle


async def test_mids_and_context_agree_with_rest(simulator, ws):
    await subscribe(ws, type="allMids")
    mids = (await receive(ws, "allMids"))["mids"]
    assert set(mids) == {"BTC", "ETH", "kPEPE"}
    await subscribe(ws, type="activeAssetCtx", coin="ETH")
    context = await receive(ws, "activeAssetCtx")
    assert context["coin"] == "ETH"
    assert {"funding", "openInterest", "oraclePx", "markPx", "dayNtlVlm"} <= set(context["ctx"])
    simulator.pause()
    async with aiohttp.ClientSession() as session:
        info = simulator.rest_url + "/info"
        async with session.post(info, json={"type": "allMids"}) as answer:
            rest_mids = await answer.json()
        async with session.post(info, json={"type": "l2Book", "coin": "BTC"}) as answer:
            book = await answer.json()
        async with session.post(info, json={"type": "nothing"}) as answer:
            assert answer.status == 422
    bid, ask = (float(side[0]["px"]) for side in book["levels"])
    assert float(rest_mids["BTC"]) == (bid + ask) / 2


async def test_fast_contexts_are_packed_whole_at_first_and_then_what_changes(ws):
    def unpacked(data):
        return json.loads(zlib.decompress(base64.b64decode(data), wbits=-15))

    await subscribe(ws, type="fastAssetCtxs")
    assert (await receive(ws, "subscriptionResponse"))["subscription"] == {"type": "fastAssetCtxs"}
    first = unpacked(await receive(ws, "fastAssetCtxs"))
    assert first.keys() == {"BTC", "ETH", "kPEPE"}
    assert all(each.keys() == {"markPx", "midPx"} for each in first.values())
    later = [unpacked(await receive(ws, "fastAssetCtxs")) for _ in range(20)]
    assert any(each.keys() < first.keys() for each in later)
    figures = {key for each in later for of_coin in each.values() for key in of_coin}
    assert figures == {"markPx", "midPx"}
    assert any(len(of_coin) == 1 for each in later for of_coin in each.values())


async def test_users_have_a_snapshot_first_and_ten_at_most(ws):
    users = [f"0x{number:040X}" for number in range(11)]
    for user in users[:10]:
        await subscribe(ws, type="userFills", user=user)
    first = await receive(ws, "userFills")
    assert first == {"isSnapshot": True, "user": users[0].lower(), "fills": []}
    later = await receive(ws, "userFills")
    while "isSnapshot" in later:
        later = await receive(ws, "userFills")
    assert later["fills"][0]["coin"] in ("BTC", "ETH", "kPEPE")
    await subscribe(ws, type="orderUpdates", user=users[10])
    assert await receive(ws, "error") == "Cannot track more than 10 total users."
    await subscribe(ws, type="orderUpdates", user="0x12")
    assert (await receive(ws, "error")).startswith("Invalid subscription")
    await subscribe(ws, type="orderUpdates", user=users[1])
    [order, *_] = await receive(ws, "orderUpdates")
    assert order["status"] == "filled"
    await ask(ws, method="unsubscribe", subscription={"type": "userFills", "user": users[0]})
    await subscribe(ws, type="userFills", user=users[0])
    again = await receive(ws, "userFills")
    while not (again.get("isSnapshot") and again["user"] == users[0].lower()):
        again = await receive(ws, "userFills")
    assert again["fills"]


async def test_spot_and_other_dexes_have_their_own_forms():
    symbols = ["BTC", "@107", "xyz:NVDA", "xyz:AAPL"]
    async with (
        Simulator("hyperliquid", symbols=symbols) as sim,
        websockets.connect(sim.ws_url + "/ws", max_queue=None) as ws,
    ):
        await subscribe(ws, type="activeAssetCtx", coin="@107")
        assert (await receive(ws, "activeSpotAssetCtx"))["ctx"]["coin"] == "@107"
        await subscribe(ws, type="allMids", dex="xyz")
        echo = (await receive(ws, "subscriptionResponse"))["subscription"]
        assert echo == {"type": "allMids", "dex": "xyz"}
        mids = await receive(ws, "allMids")
        assert mids["dex"] == "xyz"
        assert set(mids["mids"]) == {"xyz:NVDA", "xyz:AAPL"}
        await subscribe(ws, type="allMids")
        while "dex" in (mids := await receive(ws, "allMids")):
            pass
        assert set(mids["mids"]) == {"BTC", "@107"}


async def test_stamped_ids_are_the_time_of_sending():
    async with (
        Simulator("hyperliquid", rate=0, symbols=["BTC"], stamp=True, limit=1500) as sim,
        websockets.connect(sim.ws_url + "/ws", max_queue=None) as ws,
    ):
        await subscribe(ws, type="trades", coin="BTC")
        ids = []
        while len(ids) < 2000:
            for trade in await receive(ws, "trades"):
                ids.append(trade["tid"])
                assert 0 <= trade["tid"] // 1_000_000 - trade["time"] <= 1000
        assert ids == sorted(set(ids))


async def test_greeting_comes_first_and_is_not_json():
    text = "Websocket connection established."
    async with (
        Simulator("hyperliquid", greeting=text) as sim,
        websockets.connect(sim.ws_url + "/ws", max_queue=None) as ws,
    ):
        assert await ws.recv() == text


async def test_other_paths_are_not_found(simulator):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(simulator.ws_url + "/elsewhere")
    assert refused.value.response.status_code == 404


async def test_the_same_seed_sends_the_same():
    async def collect(seed):
        async with (
            Simulator("hyperliquid", rate=0, seed=seed, limit=300) as sim,
            websockets.connect(sim.ws_url + "/ws", max_queue=None) as ws,
        ):
            sim.pause()
            for kind in ("trades", "bbo", "l2Book"):
                await subscribe(ws, type=kind, coin="BTC")
                while json.loads(await ws.recv())["channel"] == "subscriptionResponse":
                    pass
            sim.resume()
            messages = [json.loads(await ws.recv()) for _ in range(300)]
        return [untimed(message["data"]) for message in messages]

    def untimed(data):
        if isinstance(data, list):
            return [untimed(item) for item in data]
        return {key: value for key, value in data.items() if key != "time"}

    assert await collect(1) == await collect(1)
    assert await collect(1) != await collect(2)


async def test_two_clients_get_the_same_and_one_leaving_does_not_hurt(simulator, ws):
    simulator.pause()
    async with websockets.connect(simulator.ws_url + "/ws", max_queue=None) as other:
        for client in (ws, other):
            await subscribe(client, type="bbo", coin="BTC")
            await receive(client, "bbo")
        simulator.resume()
        for _ in range(100):
            assert await ws.recv() == await other.recv()
    for _ in range(100):
        await ws.recv()
    assert simulator.stats.connections == 2
    await asyncio.sleep(0)
    assert simulator.stats.open_connections == 1


async def test_l2_is_a_whole_book_then_changes_by_position(ws):
    """As often as the whole books of the same time, and equal to them."""
    await subscribe(ws, type="l2", coin="BTC")
    assert (await receive(ws, "error")).startswith("Invalid subscription")
    await subscribe(ws, type="l2", c="BTC")
    await subscribe(ws, type="l2Book", coin="BTC")
    whole = (await receive(ws, "l2"))["s"]
    sides = [{each["px"]: each["sz"] for each in side} for side in whole["levels"]]
    assert whole["coin"] == "BTC"
    states, shown = {}, {}
    while len(states) < 30:
        message = json.loads(await ws.recv())
        if message["channel"] == "l2Book":
            data = message["data"]
            shown[data["time"]] = [{e["px"]: e["sz"] for e in side} for side in data["levels"]]
        elif message["channel"] == "l2":
            change = json.loads(zlib.decompressobj(-15).decompress(
                base64.b64decode(message["data"]["c"] + "==")
            ))  # fmt: skip
            for number, side in enumerate(sides):
                prices = sorted(side, key=float, reverse=number == 0)
                for at in change["r"][number]:
                    del side[prices[at]]
                side |= {each["p"]: each["s"] for each in change["l"][number]}
            states[change["t"]] = [dict(side) for side in sides]
    both = states.keys() & shown.keys()
    assert len(both) > 20
    assert all(states[time] == shown[time] for time in both)
    await ask(ws, method="unsubscribe", subscription={"type": "l2", "c": "BTC"})
    while (await receive(ws, "subscriptionResponse"))["method"] != "unsubscribe":
        pass


def test_two_books_of_one_time_are_equal_though_l2_is_asked_for_again() -> None:
    """The market's clock stands still, as it does for events of one ms."""
    market = Market("hyperliquid", ["BTC"], 1, clock_ms=lambda: 1_764_500_000_123)
    exchange, client = Hyperliquid("hyperliquid", market), Client("/", 0)
    books: dict[int, list] = {}

    def note(message) -> None:
        data = json.loads(message.payload)["data"]
        data = data.get("s", data)
        if "levels" in data:
            books.setdefault(data["time"], []).append(data["levels"])

    def ask_for(method: str, **subscription: str) -> None:
        request = {"method": method, "subscription": subscription}
        for message in exchange.request(json.dumps(request), client).first:
            note(message)

    def go_on(n_events: int) -> None:
        for _ in range(n_events):
            for message in exchange.render(market.step(), client.keys):
                note(message)

    ask_for("subscribe", type="l2Book", coin="BTC")
    for n_events in (7, 20, 33, 40):
        ask_for("subscribe", type="l2", c="BTC")
        go_on(n_events)
        ask_for("unsubscribe", type="l2", c="BTC")
        go_on(n_events)
    assert len(books) > 10
    assert any(len(each) > 1 for each in books.values())
    assert all(each[0] == other for each in books.values() for other in each)
