"""A venue that sends what no venue should, over a real socket: bounded, counted, and survived."""

import asyncio
import contextlib
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.net.servers import Peer, frame, serve_raw, text
from tests.security.messages import trade
from websockets.frames import Opcode

import tickwire
from tickwire.errors import ConfigError
from tickwire.feed.books import books
from tickwire.net import liveness, outgoing
from tickwire.venues import Heartbeat, load

pytestmark = pytest.mark.fault

MIB = 1 << 20
QUIET = replace(load("hyperliquid"), heartbeat=Heartbeat("none", 0, 0))


def used_bytes() -> int:
    """Give the memory that this process holds, or where that is not told, its peak."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def source(port: int, **more: Any) -> tickwire.Source:
    keys: dict[str, Any] = {
        "venue": QUIET,
        "channels": ["trades"],
        "symbols": ["BTC"],
        "url": f"ws://127.0.0.1:{port}",
        "max_message_bytes": MIB,
        "backoff_max_s": 0.05,
    }
    return tickwire.Source(**(keys | more))


async def until(happened: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


async def accept(peer: Peer) -> None:
    """Shake hands and acknowledge the first subscription."""
    await peer.shake_hands()
    _, asked = await peer.read_frame()
    answer = {"channel": "subscriptionResponse", "data": json.loads(asked)}
    await peer.send(text(json.dumps(answer)))


async def _fragments_of_bytes(peer: Peer) -> None:
    await peer.send(frame(Opcode.TEXT, b'"', fin=False))
    while True:
        await peer.send(frame(Opcode.CONT, b"x" * 60_000, fin=False))


async def _a_frame_of_half_the_world(peer: Peer) -> None:
    await peer.send(b"\x81\x7f" + (2**62).to_bytes(8, "big"))
    while True:
        await peer.send(b"x" * 60_000)


async def _a_frame_above_the_limit(peer: Peer) -> None:
    await peer.send(b"\x81\x7f" + (MIB + 1).to_bytes(8, "big"))
    while True:
        await peer.send(b"x" * 60_000)


ENDLESS = {
    "fragments": _fragments_of_bytes,
    "a frame of 2**62 bytes": _a_frame_of_half_the_world,
    "a frame above the limit": _a_frame_above_the_limit,
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_refused_and_counted(what: str) -> None:
    before = used_bytes()
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await accept(peer)
        if n_connections <= 2:
            await ENDLESS[what](peer)
        await peer.answer_close()

    async with serve_raw(script) as port, tickwire.FeedHandler([source(port)]) as feed:
        gaps = feed.batches("gaps")
        await until(lambda: feed.summary()["connects"] == 3)
    summary = feed.summary()
    rows = [batch async for batch in gaps]
    reasons = [reason for batch in rows for reason in batch.column("reason").to_pylist()]
    assert reasons.count("disconnect") == len(reasons) == 4  # each opens and closes
    assert summary["gaps"] == 2
    assert summary["protocol_errors"] == 2
    assert summary["messages"] == 0
    # Two messages of 1 MiB at the most, and the rings of a feed.
    assert used_bytes() - before < 96 * MIB


async def _empty_fragments(peer: Peer) -> None:
    await peer.send(frame(Opcode.TEXT, b'"', fin=False))
    while True:
        await peer.send(frame(Opcode.CONT, b"", fin=False) + frame(Opcode.PING, b"alive"))
        await asyncio.sleep(0.005)


async def _a_dripping_frame(peer: Peer) -> None:
    await peer.send(b"\x81\x7e\xff\xff")
    while True:
        await peer.send(b"x")
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("drip", [_empty_fragments, _a_dripping_frame])
async def test_a_message_that_never_ends_is_silence(
    monkeypatch: pytest.MonkeyPatch, drip: Callable[[Peer], Awaitable[None]]
) -> None:
    monkeypatch.setattr(liveness, "UNFINISHED_S", 0.2)
    venue = replace(QUIET, heartbeat=Heartbeat("none", 0, 0.2))
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await accept(peer)
        if n_connections == 1:
            await drip(peer)
        await peer.answer_close()

    async with serve_raw(script) as port:
        async with tickwire.FeedHandler([source(port, venue=venue)]) as feed:
            sessions = feed.batches("sessions")
            await until(lambda: feed.summary()["reconnects"] == 1)
        details = [d async for batch in sessions for d in batch.column("detail").to_pylist()]
    assert any(detail.startswith("timeout: ") for detail in details)
    assert feed.summary()["gaps"] >= 1


async def test_a_slow_message_that_goes_on_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "UNFINISHED_S", 0.6)
    venue = replace(QUIET, heartbeat=Heartbeat("none", 0, 0.5))
    sent = b"".join(frame(Opcode.TEXT, trade(number)) for number in range(6))
    # A part never ends where a message does: all the time one is unfinished, each for 0.3 s.
    ends = range(len(sent) // 6, len(sent), len(sent) // 6)
    size = next(n for n in range(len(sent) // 60, len(sent)) if all(end % n for end in ends))

    async def script(peer: Peer) -> None:
        await accept(peer)
        for at in range(0, len(sent), size):
            await peer.send(sent[at : at + size])
            await asyncio.sleep(0.03)
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        tickwire.FeedHandler([source(port, venue=venue)]) as feed,
    ):
        await until(lambda: feed.summary()["messages"] == 6)
        assert feed.summary()["connects"] == 1


async def test_messages_of_no_use_are_counted_and_leave_nothing() -> None:
    n_messages = 100_000
    useless = frame(Opcode.TEXT, b'{"channel":"weather","data":{"sun":1}}') * 1000

    async def script(peer: Peer) -> None:
        await accept(peer)
        for _ in range(n_messages // 1000):
            await peer.send(useless)
        await peer.answer_close()

    async with serve_raw(script) as port, tickwire.FeedHandler([source(port)]) as feed:
        await until(lambda: feed.summary()["unknown_messages"] >= 1000)
        blocks, before = sys.getallocatedblocks(), used_bytes()
        await until(lambda: feed.summary()["unknown_messages"] == n_messages)
        assert sys.getallocatedblocks() - blocks < 2000
        assert used_bytes() - before < 4 * MIB
        assert feed.summary()["rows"]["trades"] == 0
        assert feed.summary()["connects"] == 1


async def test_messages_that_cannot_be_decoded_are_kept_within_a_bound() -> None:
    broken = frame(Opcode.TEXT, b'{"channel":"trades","data":[{"coin":"BTC"}]}') * 1000

    async def script(peer: Peer) -> None:
        await accept(peer)
        for _ in range(40):
            await peer.send(broken)
        await peer.answer_close()

    async with serve_raw(script) as port:
        async with tickwire.FeedHandler([source(port)]) as feed:
            quarantine = feed.batches("quarantine")
            await until(lambda: sum(feed.summary()["decode_errors"].values()) == 40_000)
        summary = feed.summary()
        n_kept = sum([batch.num_rows async for batch in quarantine])
    # No sink took them meanwhile; the ring keeps as many as fit.
    assert 16_000 < n_kept <= 16_384
    assert n_kept == summary["rows"]["quarantine"]
    assert summary["quarantine_dropped"] == 40_000 - n_kept


async def test_errors_without_end_are_told_a_few_times_and_counted() -> None:
    complaint = text(json.dumps({"channel": "error", "data": "go away"})) * 500

    async def script(peer: Peer) -> None:
        await accept(peer)
        for _ in range(20):
            await peer.send(complaint)
        await peer.answer_close()

    async with serve_raw(script) as port, tickwire.FeedHandler([source(port)]) as feed:
        await until(lambda: feed.summary()["warnings"] == 10_000)
        summary = feed.summary()
    assert summary["warnings_suppressed"] == 9_980
    assert summary["rows"]["sessions"] < 30


async def test_pings_without_end_are_counted_and_answered_within_a_bound() -> None:
    n_pings = 0
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal n_pings
        await accept(peer)
        peer.writer.transport.pause_reading()  # and reads no pong
        pings = frame(Opcode.PING, b"p" * 125) * 1000
        for _ in range(200):
            await peer.send(pings)
            n_pings += 1000
        await gone.wait()

    async with serve_raw(script) as port, tickwire.FeedHandler([source(port)]) as feed:
        await until(lambda: feed.summary()["pings"] == 200_000)
        session = feed._feed.sources[0].sessions[0]  # type: ignore[union-attr] # it runs
        assert session.connection is not None
        unsent = session.connection.carrier.unsent_bytes()
        assert unsent < 2 * outgoing.UNSENT_PONG_BYTES
        gone.set()
    assert n_pings == 200_000


@pytest.mark.thorough
async def test_a_million_subscriptions_refused() -> None:
    # Each of 20 answers refuses 50,000 subscriptions: those that were asked for, and others.
    asked_for = [f"S{number}" for number in range(100)]
    venue = replace(
        QUIET,
        reply=_reply_of_many,
        limits=replace(QUIET.limits, requests_per_s=0, subscriptions_per_connection=1000),
    )

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for _ in asked_for:
            await peer.read_frame()
        keys = [json.dumps({"type": "trades", "coin": f"S{n}"}) for n in range(50_000)]
        keys = [key.replace(": ", ":").replace(", ", ",") for key in keys]
        refusal = text(json.dumps({"channel": "error", "data": keys}))
        for _ in range(20):
            await peer.send(refusal)
        await peer.answer_close()

    async with serve_raw(script) as port:
        before = used_bytes()
        feed = tickwire.FeedHandler(
            [source(port, venue=venue, symbols=asked_for, max_message_bytes=16 * MIB)]
        )
        with pytest.raises(tickwire.errors.TickwireError, match="every subscription was refused"):
            await asyncio.wait_for(feed.run(), 60)
    assert feed.summary()["refused_subscriptions"] == 100
    assert used_bytes() - before < 128 * MIB


def _reply_of_many(kind: str, payload: bytes) -> Any:
    from tickwire.venues.base import Reply

    return Reply(refused=tuple(json.loads(payload)["data"]), text="no such symbol")


@pytest.mark.thorough
def test_more_symbols_than_a_feed_can_hold_are_told_at_once() -> None:
    symbols = [f"S{number}" for number in range(1_000_000)]
    many = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=symbols)
    with pytest.raises(ConfigError, match=r"source.symbols: are 1000000 of .* at most 65536 of"):
        tickwire.FeedHandler([many])
    for symbol in ("x" * 256, "x" * 10_000, "\U0001f4a5" * 64):
        long = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC", symbol])
        with pytest.raises(ConfigError, match=r"source\[0\].symbols: has one of \d+ bytes"):
            tickwire.FeedHandler([long])


def mids(names: list[str]) -> bytes:
    prices = dict.fromkeys(names, "2.5")
    return json.dumps({"channel": "allMids", "data": {"mids": prices}}).encode()


async def run_of(messages: list[bytes], **more: Any) -> dict[str, Any]:
    """Run a feed over these messages and one good trade or mid at the end."""
    with exchange([messages]) as server:
        port = int(server.ws_url.rpartition(":")[2])
        async with tickwire.FeedHandler([source(port, max_message_bytes=16 * MIB, **more)]) as feed:
            n_expected = len(messages)
            await until(lambda: feed.summary()["messages"] >= n_expected)
            return feed.summary()


async def test_ten_thousand_symbols_are_taken_each_with_its_own_memory() -> None:
    before = used_bytes()
    names = [f"COIN{number}" for number in range(10_000)]
    messages = [trade(number, name) for number, name in enumerate(names)]
    venue = replace(QUIET, limits=replace(QUIET.limits, subscriptions_per_connection=10_000))

    async def script(peer: Peer) -> None:  # it does not wait for 10,000 subscriptions
        await accept(peer)
        await peer.send(b"".join(frame(Opcode.TEXT, message) for message in messages))
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        tickwire.FeedHandler([source(port, symbols=names, venue=venue)]) as feed,
    ):
        await until(lambda: feed.summary()["messages"] == 10_000)
        summary = feed.summary()
    assert summary["rows"]["trades"] == 10_000
    assert summary["decode_errors"] == {}
    assert used_bytes() - before < 256 * MIB


@pytest.mark.thorough
async def test_past_the_last_symbol_messages_are_quarantined() -> None:
    # The one that was configured keeps its code, whatever else the venue invents.
    names = [f"COIN{number}" for number in range(70_000)]
    messages = [mids(names[start : start + 10_000]) for start in range(0, 70_000, 10_000)]
    messages += [mids(["NEVER-SEEN"]), mids(["COIN1"])]
    summary = await run_of(messages, channels=["mids"], symbols=["*"])
    assert summary["rows"]["mids"] == 60_001
    assert summary["decode_errors"] == {"dictionary_full": 2}
    assert summary["rows"]["quarantine"] == 2


async def test_configured_symbols_go_on_when_a_venue_has_invented_too_many() -> None:
    row = json.loads(trade(0))["data"][0]
    flood = []
    for n in range(70):
        rows = [row | {"coin": f"{n}-{m}", "tid": m} for m in range(1000)]
        flood.append(json.dumps({"channel": "trades", "data": rows}).encode())
    summary = await run_of([*flood, trade(1, "LATE"), trade(2, "NEW")], symbols=["BTC", "LATE"])
    assert summary["decode_errors"] == {"dictionary_full": 70 - 65 + 1}
    assert summary["rows"]["trades"] == 1
    assert summary["unconfigured_rows"] == {"trades": 65_000}


async def test_symbols_of_10_kb_are_quarantined() -> None:
    messages = [trade(number, str(number) + "x" * 10_000) for number in range(100)]
    summary = await run_of([*messages, trade(1)])
    assert summary["rows"]["trades"] == 1
    assert summary["decode_errors"] == {"too_long": 100}
    assert summary["rows"]["quarantine"] == 100


async def test_a_dictionary_of_16_bits_overflows_into_the_quarantine() -> None:
    # A candle's interval is text from the wire, and its code an int16.
    n_names = 33_000
    candle = {"t": 1, "T": 2, "s": "BTC", "o": "1", "c": "1", "h": "1", "l": "1", "v": "1", "n": 1}
    messages = [
        json.dumps({"channel": "candle", "data": candle | {"i": f"{number}q"}}).encode()
        for number in range(n_names)
    ]
    messages.append(json.dumps({"channel": "candle", "data": candle | {"i": "7q"}}).encode())
    summary = await run_of(messages, channels=["candles:1m"])
    n_lost = summary["decode_errors"]["dictionary_full"]
    assert summary["rows"]["candles"] == n_names + 1 - n_lost
    assert n_lost == n_names - 32_767
    assert summary["rows"]["quarantine"] == n_lost


async def test_a_snapshot_of_any_shape_is_a_failure_and_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(books, "FIRST_RETRY_S", 0.01)
    snapshots = [b"[" * 100_000, b'{"lastUpdateId":1e999}', b'{"lastUpdateId":%d}' % 2**70, b""]
    served: list[bytes] = []

    async def rest(peer: Peer) -> None:
        while True:
            await peer.reader.readuntil(b"\r\n\r\n")
            body = snapshots[len(served) % len(snapshots)]
            served.append(body)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        _, asked = await peer.read_frame()
        await peer.send(text(json.dumps({"result": None, "id": json.loads(asked)["id"]})))
        delta = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 5, "u": 6, "b": [], "a": []}
        await peer.send(text(json.dumps({"stream": "btcusdt@depth", "data": delta})))
        await peer.answer_close()

    async with serve_raw(script) as port, serve_raw(rest) as rest_port:
        one = source(
            port,
            venue="binance",
            channels=["book"],
            symbols=["BTCUSDT"],
            rest_url=f"http://127.0.0.1:{rest_port}",
        )
        async with tickwire.FeedHandler([one]) as feed:
            await until(lambda: len(served) > len(snapshots))
        assert feed.summary()["rows"]["gaps"] >= 1


async def test_an_answer_of_any_shape_is_a_warning_and_no_end() -> None:
    nested = b'{"channel":"error","data":%b1%b}' % (b"[" * 400, b"]" * 400)
    shapes = [nested, b'{"channel":"error","data":1e999}', b'{"channel":"error"}']

    async def script(peer: Peer) -> None:
        await accept(peer)
        for shape in shapes:
            await peer.send(frame(Opcode.TEXT, shape))
        await peer.send(frame(Opcode.TEXT, trade(1)))
        await peer.answer_close()

    async with serve_raw(script) as port, tickwire.FeedHandler([source(port)]) as feed:
        await until(lambda: feed.summary()["messages"] == 1)
        assert feed.summary()["connects"] == 1
