"""The peer whose latency is measured beside tickwire's: picows, and orjson to a Python row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic_ns, time_ns
from typing import Any

import numpy as np
import orjson
import picows
import uvloop

from tickwire.bench.arrivals import Arrivals
from tickwire.bench.outcomes import StagePipeline
from tickwire.bench.receivers import SUBSCRIBE, Plan, Progress, follow

TEXT = picows.WSMsgType.TEXT
Row = tuple[Any, ...]


class _RowListener(picows.WSListener):
    """Makes a row of every trade: the columns that tickwire fills, as Python objects."""

    def __init__(self, progress: Progress) -> None:
        self.rows: list[Row] = []
        self.n_before = 0
        self._note = progress.add
        self._loads = orjson.loads

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type is not TEXT:
            return
        ts_recv = time_ns()
        message = self._loads(frame.get_payload_as_memoryview())
        if message["channel"] != "trades":
            return
        rows = self.rows
        for trade in message["data"]:
            rows.append(
                (
                    self.n_before + len(rows),
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
        # The row is there: a program could use it now.
        self._note(monotonic_ns(), self.n_before + len(rows))


def receive_to_row(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Note when each message has become a Python row."""
    uvloop.run(_receive_to_row(plan, report))


def columns_of(rows: Sequence[Row]) -> dict[str, np.ndarray[Any, Any]]:
    """Give what answers are checked by, of rows as peers make them."""
    return {
        "trade_id": np.array([int(row[10]) for row in rows], np.int64),
        "price": np.array([row[7] for row in rows]),
        "size": np.array([row[8] for row in rows]),
    }


async def _receive_to_row(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    progress = Progress()
    listener = _RowListener(progress)
    transport, _ = await picows.ws_connect(lambda: listener, plan.url)

    def columns(first: int, stop: int) -> dict[str, np.ndarray[Any, Any]]:
        rows, listener.rows = listener.rows, []
        listener.n_before = stop
        return columns_of(rows[-(stop - first) :])

    transport.send(TEXT, SUBSCRIBE.encode())
    following = asyncio.ensure_future(follow(plan, progress, report, columns))
    left = asyncio.ensure_future(transport.wait_disconnected())
    await asyncio.wait({following, left}, return_when=asyncio.FIRST_COMPLETED)
    left.cancel()
    transport.disconnect(graceful=False)
    if not following.done():
        following.cancel()
        raise ConnectionError("the sender left")
    following.result()


TO_ROW = StagePipeline("picows + orjson", "sent_to_row", receive_to_row)
