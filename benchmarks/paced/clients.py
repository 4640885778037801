"""The other clients at a pace: a bare read in the loop, picows, websockets; rows by orjson.

Rules of this file
------------------
- Each takes the time once per message, as tickwire's receivers do once per batch.
- All run on uvloop. What decodes makes a Python row of every trade, with every column that tickwire
  fills.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic_ns, time_ns
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson
import picows
import uvloop
import websockets
from benchmarks.latency.peers import columns_of

from tickwire.bench.arrivals import Arrivals
from tickwire.bench.receivers import (
    BUFFER_BYTES,
    SUBSCRIBE,
    Plan,
    Progress,
    follow,
    subscribe_by_hand,
)

TEXT = picows.WSMsgType.TEXT
QUEUE_MESSAGES = 1024
Report = Callable[[Arrivals], None]
Columns = dict[str, np.ndarray[Any, Any]]


def receive_bytes_in_loop(plan: Plan, report: Report) -> None:
    """Read with `recv_into` whenever the loop says that there is something."""
    uvloop.run(_bytes_in_loop(plan, report))


def receive_frames(plan: Plan, report: Report) -> None:
    """Give every frame to a callback of picows that only takes the time."""
    uvloop.run(_frames(plan, report))


def receive_by_websockets(plan: Plan, report: Report) -> None:
    """Make a row of every message that `recv` of websockets gives."""
    uvloop.run(_by_websockets(plan, report))


async def _bytes_in_loop(plan: Plan, report: Report) -> None:
    parts = urlsplit(plan.url)
    loop = asyncio.get_running_loop()
    progress = Progress()
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as reader:
        subscribe_by_hand(reader, [SUBSCRIBE])
        reader.setblocking(False)
        buffer = bytearray(BUFFER_BYTES)
        recv_into, add, message_bytes = reader.recv_into, progress.add, plan.message_bytes
        n_read = 0

        def on_readable() -> None:
            nonlocal n_read
            n_read += recv_into(buffer)
            add(monotonic_ns(), n_read // message_bytes)

        loop.add_reader(reader, on_readable)
        await follow(plan, progress, report, _no_columns)
        loop.remove_reader(reader)


def _no_columns(_first: int, _stop: int) -> Columns:
    return {}


class _TimedListener(picows.WSListener):
    """Takes the time of every frame."""

    def __init__(self, progress: Progress) -> None:
        self._note = progress.add
        self._n_frames = -1  # the acknowledgement comes first

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        n_frames = self._n_frames = self._n_frames + 1
        if n_frames:
            self._note(monotonic_ns(), n_frames)


async def _frames(plan: Plan, report: Report) -> None:
    progress = Progress()
    transport, _ = await picows.ws_connect(lambda: _TimedListener(progress), plan.url)
    transport.send(TEXT, SUBSCRIBE.encode())
    await follow(plan, progress, report, _no_columns)
    transport.disconnect(graceful=False)


async def _by_websockets(plan: Plan, report: Report) -> None:
    progress = Progress()
    rows: list[tuple[Any, ...]] = []
    n_before = 0
    loads, note = orjson.loads, progress.add

    def columns(first: int, stop: int) -> Columns:
        nonlocal n_before
        made = rows[-(stop - first) :]
        rows.clear()
        n_before = stop
        return columns_of(made)

    async def read() -> None:
        while True:
            payload = await connection.recv(decode=False)
            ts_recv = time_ns()
            message = loads(payload)
            if message["channel"] != "trades":
                continue
            for trade in message["data"]:
                rows.append(
                    (
                        n_before + len(rows),
                        "hyperliquid",
                        trade["coin"],
                        trade["time"] * 1_000_000,
                        ts_recv,
                        0,
                        "trades",
                        float(trade["px"]),
                        float(trade["sz"]),
                        "buy" if trade["side"] == "B" else "sell",
                        str(trade["tid"]),
                    )
                )
            note(monotonic_ns(), n_before + len(rows))

    async with websockets.connect(
        plan.url,
        compression=None,
        ping_interval=None,
        max_queue=QUEUE_MESSAGES,
        proxy=None,
        close_timeout=0.1,
    ) as connection:
        await connection.send(SUBSCRIBE)
        reading = asyncio.ensure_future(read())
        following = asyncio.ensure_future(follow(plan, progress, report, columns))
        done, _ = await asyncio.wait({reading, following}, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, following):
            task.cancel()
        await asyncio.gather(reading, following, return_exceptions=True)
        if following not in done:
            reading.result()
