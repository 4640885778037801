"""A recording written row by row: what happened to connections happens again, in its order."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.capture.recordings import PlainFile
from tests.cli.test_replay import delta, snapshot
from tests.feed.test_handler import source, trades, until
from tests.feed.test_kept_books import Rows, Taking
from tests.feed.test_replaying import begun

import tickwire
from tickwire.capture import Recorder
from tickwire.capture.recorder import Kind
from tickwire.capture.recording_writer import SUFFIX, RecordingWriter
from tickwire.errors import ConfigError
from tickwire.feed.replays.recorded_replay import RecordedReplay

DEPTH = "https://h/api/v3/depth?symbol={}&limit=5000"
TRADE = {
    "price": "1.50", "qty": "2", "quoteQty": "3", "time": 1, "isBuyerMaker": True,
    "isBestMatch": True,
}  # fmt: skip


class Script:
    """Writes a recording of one source."""

    def __init__(
        self,
        folder: Path,
        venue: str = "hyperliquid",
        connections: list[list[list[str]]] | None = None,
    ) -> None:
        self._folder = folder
        self._connections = connections
        self._venue = venue
        self._n_runs = 0
        self._now_ns = 10**9
        self.begin()

    def begin(self) -> None:
        """Begin a run: the one before was killed."""
        self._n_runs += 1
        self._recorder = Recorder(1 << 20)
        self._writer = RecordingWriter(
            self._recorder,
            lambda _now_ns, run=self._n_runs: PlainFile(self._folder / f"{run}{SUFFIX}"),
            {
                "tickwire.run": str(self._n_runs),
                "tickwire.sources": f'[{{"venue":"{self._venue}"}}]',
            }
            | (
                {}
                if self._connections is None
                else {"tickwire.connections": json.dumps([self._connections])}
            ),
            rotate_bytes=1 << 30,
            rotate_s=3600.0,
            sync_s=1.0,
        )

    def put(self, kind: Kind, conn: int, payload: bytes, url: str = "wss://h") -> None:
        self._now_ns += 1000
        assert self._recorder.buffer.add(
            kind,
            payload,
            conn=conn,
            origin=self._recorder.origin(0, self._venue, url),
            recv_ns=self._now_ns,
            mono_ns=self._now_ns,
        )

    def happen(self, kind: Kind, conn: int, **detail: Any) -> None:
        self.put(kind, conn, json.dumps(detail).encode())

    def connect(self, conn: int, *, streams: int = 0, place: int = 0) -> None:
        self.happen(Kind.CONNECT, conn, streams=streams, place=place)
        self.happen(Kind.ACKNOWLEDGE, conn, all=True)

    def disconnect(self, conn: int, reason: str = "disconnect") -> None:
        self.happen(Kind.DISCONNECT, conn, reason=reason, detail="")

    def bring(self, conn: int, *payloads: bytes) -> None:
        for payload in payloads:
            self.put(Kind.MESSAGE, conn, payload)

    def end_run(self) -> None:
        self._writer.write()
        self._writer.finish()


async def played(folder: Path, feed: tickwire.FeedHandler, *tables: str) -> dict[str, Rows]:
    replay = RecordedReplay(feed, folder)
    running = await begun(feed, replay)
    taking = Taking(feed, *tables)
    await running
    return await taking.end()


def ids(rows: Rows) -> list[int]:
    return [int(row["trade_id"]) for row in rows]


async def test_a_connection_that_took_another_s_place_brings_each_trade_once(
    tmp_path: Path,
) -> None:
    script = Script(tmp_path)
    script.connect(1)
    script.bring(1, *trades(0, 4))
    script.connect(2, place=1)
    script.bring(2, *trades(2, 6))
    script.bring(1, *trades(4, 5))
    script.disconnect(1, "replaced")
    script.bring(2, *trades(5, 8))
    script.end_run()
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    rows = await played(tmp_path, feed, "trades", "gaps")
    assert ids(rows["trades"]) == list(range(8))
    assert rows["gaps"] == []


@pytest.mark.parametrize("redundancy", [1, 2])
async def test_a_redundancy_that_is_not_the_recording_s_is_a_warning(
    tmp_path: Path, redundancy: int
) -> None:
    script = Script(tmp_path)
    script.connect(1)
    script.connect(2, place=2)
    script.connect(3, place=2)
    script.bring(1, *trades(0, 4))
    script.end_run()
    feed = tickwire.FeedHandler([source("ws://h", redundancy=redundancy)], replays=True)
    with capture_logs() as logs:
        await played(tmp_path, feed, "trades")
    told = [entry for entry in logs if "than `redundancy` says" in entry["event"]]
    assert [entry["redundancy"] for entry in told] == [1] * (redundancy == 1)


def of_coin(coin: str, *payloads: bytes) -> list[bytes]:
    return [payload.replace(b'"BTC"', f'"{coin}"'.encode()) for payload in payloads]


COINS = ("BTC", "ETH", "SOL")
KEYS = [f'{{"type":"trades","coin":"{coin}"}}' for coin in COINS]


def two_connections(script: Script) -> None:
    """Have BTC and SOL on one connection, which is lost for a while, and ETH on another one."""
    for number, keys in enumerate((KEYS[::2], KEYS[1:2])):
        script.happen(Kind.CONNECT, number, streams=number, place=0)
        for key in keys:
            script.happen(Kind.ACKNOWLEDGE, number, key=key)
        script.happen(Kind.ACKNOWLEDGE, number, all=True)
    script.bring(0, *trades(0, 3), *of_coin("SOL", *trades(0, 3)))
    script.bring(1, *of_coin("ETH", *trades(0, 3)))
    script.disconnect(0)
    script.bring(1, *of_coin("ETH", *trades(3, 5)))
    script.happen(Kind.CONNECT, 2, streams=0, place=0)
    for key in KEYS[::2]:
        script.happen(Kind.ACKNOWLEDGE, 2, key=key)
    script.bring(2, *trades(3, 5), *of_coin("SOL", *trades(3, 5)))
    script.bring(1, *of_coin("ETH", *trades(5, 8)))
    script.end_run()


@pytest.mark.parametrize("coins", [COINS, COINS[1:], COINS[:2], COINS[1:2]])
async def test_streams_are_on_the_connections_that_they_were_recorded_on(
    tmp_path: Path, coins: tuple[str, ...]
) -> None:
    names = [["trades", "", key] for key in KEYS]
    two_connections(Script(tmp_path, connections=[names[::2], names[1:2]]))
    feed = tickwire.FeedHandler([source("ws://h", symbols=list(coins))], replays=True)
    assert len(feed.plan.sources[0].connections) == 1
    with capture_logs() as logs:
        rows = await played(tmp_path, feed, "trades", "gaps")
    n_rows = {coin: sum(row["symbol"] == coin for row in rows["trades"]) for coin in coins}
    assert n_rows == {coin: 8 if coin == "ETH" else 5 for coin in coins}
    last = {row["gap_id"]: row for row in rows["gaps"]}.values()
    lost = [coin for coin in coins if coin != "ETH"]
    assert [(row["symbol"], row["reason"], row["state"]) for row in last] == [
        (coin, "disconnect", "closed") for coin in lost
    ]
    assert not any("other connections were recorded" in entry["event"] for entry in logs)


async def test_where_streams_of_connections_were_not_recorded_a_line_says_so(
    tmp_path: Path,
) -> None:
    two_connections(Script(tmp_path))
    feed = tickwire.FeedHandler([source("ws://h", symbols=list(COINS))], replays=True)
    with capture_logs() as logs:
        rows = await played(tmp_path, feed, "trades", "gaps")
    assert len(rows["trades"]) == 18
    told = [entry for entry in logs if "other connections were recorded" in entry["event"]]
    assert [entry["connections"] for entry in told] == [1]


def test_a_source_that_was_not_recorded_is_an_error(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.connect(1)
    script.end_run()
    for given in ("7", "binance", 1):
        feed = tickwire.FeedHandler([source("ws://h")], replays=True)
        with pytest.raises(ConfigError, match=f"no source {given}, it has 0 hyperliquid"):
            RecordedReplay(feed, tmp_path, source=given)
    for known in ("0", "hyperliquid", 0):
        RecordedReplay(
            tickwire.FeedHandler([source("ws://h")], replays=True), tmp_path, source=known
        )


async def test_where_an_end_was_not_recorded_the_next_connection_is_one(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.bring(1, *trades(0, 3))  # a part of a recording may begin behind its connection
    script.connect(2)
    script.bring(2, *trades(3, 6))
    script.end_run()
    script.begin()
    script.connect(1)
    script.bring(1, *trades(6, 9))
    script.end_run()
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    rows = await played(tmp_path, feed, "trades", "gaps")
    assert ids(rows["trades"]) == list(range(9))
    last = {row["gap_id"]: row for row in rows["gaps"]}.values()
    assert [row["reason"] for row in last] == ["disconnect", "down"]
    received = {int(row["trade_id"]): row["ts_recv"] for row in rows["trades"]}
    spans = [(row["ts_start"], row["ts_end"]) for row in last]
    assert spans == [(received[2], received[3]), (received[5], received[6])]


async def test_what_is_said_of_a_connection_that_is_not_there_changes_nothing(
    tmp_path: Path,
) -> None:
    script = Script(tmp_path)
    script.connect(1)
    script.bring(1, *trades(0, 2))
    script.disconnect(7)
    script.happen(Kind.ACKNOWLEDGE, 7, key="trades")
    script.happen(Kind.SENT, 1)
    script.put(Kind.ANSWER, 1, b"{}", "https://h/info")
    script.bring(1, *trades(2, 4))
    script.end_run()
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    rows = await played(tmp_path, feed, "trades", "gaps")
    assert ids(rows["trades"]) == list(range(4))
    assert rows["gaps"] == []


def binance_trade(number: int) -> bytes:
    data = {
        "e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": 1, "m": True,
    }  # fmt: skip
    return json.dumps({"stream": "btcusdt@trade", "data": data}).encode()


@pytest.mark.parametrize("remember", [False, True])
async def test_trades_that_were_had_by_rest_come_again(tmp_path: Path, remember: bool) -> None:
    script = Script(tmp_path, "binance")
    script.connect(1)
    script.bring(1, binance_trade(1))
    script.happen(
        Kind.BACKFILL, 100, message="missed trades", symbol="BTCUSDT", remember=remember,
        trades=json.dumps([{"id": number, **TRADE} for number in (2, 3)]),
    )  # fmt: skip
    script.bring(1, binance_trade(3), binance_trade(4))
    script.end_run()
    feed = tickwire.FeedHandler(
        [source("ws://h", venue="binance", symbols=["BTCUSDT"])], replays=True
    )
    [rows] = (await played(tmp_path, feed, "trades")).values()
    assert ids(rows) == ([1, 2, 3, 4] if remember else [1, 2, 3, 3, 4])
    assert [row["conn"] for row in rows][1:3] == [100, 100]


async def test_answers_are_snapshots_of_the_books_that_want_one(tmp_path: Path) -> None:
    script = Script(tmp_path, "binance")
    script.connect(1)
    script.bring(1, delta(1, 5))
    for url, answer in (
        ("https://h/api/v3/time", b"{}"),
        (DEPTH.format("ETHUSDT"), snapshot(1)),
        (DEPTH.format("BTCUSDT"), b"{}"),
        (DEPTH.format("BTCUSDT"), snapshot(3)),
    ):
        script.put(Kind.ANSWER, 100, answer, url)
    script.bring(1, delta(6, 10))
    script.end_run()
    book = source("ws://h", venue="binance", channels=["book"], symbols=["BTCUSDT"])
    feed = tickwire.FeedHandler([book], replays=True)
    with capture_logs() as logs:
        [rows] = (await played(tmp_path, feed, "book")).values()
    assert [row["is_snapshot"] for row in rows] == [True, True, False, False]
    assert [line["symbol"] for line in logs if line["event"] == "snapshot_failed"] == ["BTCUSDT"]


async def test_a_stop_while_a_ring_is_full_ends_it(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.connect(1)
    script.bring(1, *trades(0, 3000))
    script.end_run()
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    replay = RecordedReplay(feed, tmp_path)
    told: list[tuple[int, int]] = []
    replay.on_progress = lambda done, total: told.append((done, total))
    running = await begun(feed, replay)
    consumer = feed.batches("trades", on_lag="block", maxsize=1000)
    await until(lambda: consumer.qsize() == 1000)
    await feed.stop()
    [problem] = await running
    assert problem == "interrupted after 1,000 of 3,002 messages"
    assert told[0] == (0, 3002)


async def test_a_configuration_file_decodes_a_recording(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.connect(1)
    script.bring(1, *trades(0, 4))
    script.end_run()
    config = tmp_path / "feed.toml"
    text = '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
    await asyncio.to_thread(config.write_text, text)
    summary = await tickwire.replay(tmp_path, config)
    assert summary["rows"]["trades"] == 4
