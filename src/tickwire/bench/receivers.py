"""The receivers whose latency is measured, each in a process of its own, and how they are run.

Rules of this file
------------------
- A receiver notes the monotonic time when its stage has been reached: `recv` has returned, the
  ring's cursor has been stored, the body of the user's `async for` begins. Nothing is looked at
  before the stretch is over.
- It lives for the whole session and is idle while others are measured, so that runs can be
  interleaved without starting anything.
- Afterwards it hands over what it made of the messages; the parent compares it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic_ns, process_time_ns, thread_time_ns
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import uvloop
from numpy.typing import NDArray

from tickwire import FeedHandler, Source
from tickwire.bench.arrivals import Arrivals, Notes, percentiles_us
from tickwire.bench.bare import open_by_hand, send_requests, skip_replies
from tickwire.bench.cases import SYMBOL
from tickwire.errors import TickwireError
from tickwire.net._protocol import ProtocolCarrier
from tickwire.net.carriers import protocol

BUFFER_BYTES = 1 << 18
TURNS_S = 600.0  # while the others have their turns, a stream is silent and not stale
SUBSCRIBE = json.dumps({"method": "subscribe", "subscription": {"type": "trades", "coin": SYMBOL}})
KEPT_EVERY = 64  # of the batches of an `async for`, one in so many is kept and compared too


@dataclass(frozen=True, slots=True)
class Plan:
    """What a receiver will get: trades, one per message.

    Parameters
    ----------
    url
        Of the sender.
    n_messages
        Of each stretch, in order; the first warms up.
    message_bytes
        Of every message, frame header included.
    """

    url: str
    n_messages: tuple[int, ...]
    message_bytes: int


def receive_bytes(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Read with a blocking `recv` that only takes the time: the machine's own latency."""
    parts = urlsplit(plan.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as reader:
        subscribe_by_hand(reader, [SUBSCRIBE])
        buffer = bytearray(BUFFER_BYTES)
        notes = Notes()
        add, recv_into = notes.add, reader.recv_into
        n_read = stop = 0
        for n_messages in plan.n_messages:
            stop += n_messages * plan.message_bytes
            while n_read < stop:
                n_more = recv_into(buffer)
                n_read += n_more
                add(monotonic_ns(), n_read)
                if not n_more:
                    raise TickwireError("the sender left")
            times_ns, n_bytes = notes.take()
            report(Arrivals(times_ns, n_bytes // plan.message_bytes, 0))


def subscribe_by_hand(reader: socket.socket, requests: Sequence[str]) -> None:
    """Open a WebSocket over a bare socket and read the answer to every request."""
    reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    open_by_hand(reader)
    send_requests(reader, requests)
    skip_replies(reader, len(requests))


def receive_to_ring(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Note when rows become visible: inside the ring's publish, once per read."""
    uvloop.run(run_feed(plan, report, note_publishes))


def receive_to_batch(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Note when the body of an `async for` begins."""
    uvloop.run(run_feed(plan, report, _to_batch))


def receive_reads(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Note the CPU time of every read that brings one message: from its bytes to the publish.

    By the clock of the loop's thread, around what the transport calls with what it has read.
    """
    uvloop.run(_reads(plan, report))


class Progress:
    """Notes, and a wish to be woken when a number of messages has arrived.

    The CPU of a stretch is that between its first note and its last: a receiver that waits has
    housekeeping to do, and what is compared afterwards costs too.
    """

    def __init__(self) -> None:
        self.notes = Notes()
        self._stop = 0
        self._reached = asyncio.Event()
        self._cpu_ns = [0, 0]

    def add(self, now_ns: int, count: int) -> None:
        """Note how many messages have arrived since the connection was made."""
        if not self.notes.times_ns:
            self._cpu_ns[0] = process_time_ns()
        self.notes.add(now_ns, count)
        if count >= self._stop:
            self._cpu_ns[1] = process_time_ns()
            self._reached.set()

    def cpu_ns(self, counts: NDArray[np.int64], n_messages: int) -> int:
        """Give the CPU time of a stretch whose notes have been taken; 0 where one note is all."""
        n_measured = int(counts[-1] - counts[0]) if len(counts) else 0
        if n_measured == 0:
            return 0
        began_ns, ended_ns = self._cpu_ns
        return (ended_ns - began_ns) * n_messages // n_measured

    async def wait_for(self, count: int) -> None:
        """Wait until so many have arrived."""
        self._stop = count
        if self.notes.counts and self.notes.counts[-1] >= count:
            return
        self._reached.clear()
        await self._reached.wait()


async def follow(
    plan: Plan,
    progress: Progress,
    report: Callable[[Arrivals], None],
    columns: Callable[[int, int], dict[str, np.ndarray[Any, Any]]],
    extra: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Report every stretch of a receiver that runs on an event loop.

    Parameters
    ----------
    plan
        The stretches.
    progress
        Where the receiver notes.
    report
        Gets the arrivals.
    columns
        Gives what was made of the messages from the first number to before the second.
    extra
        Gives more figures of the stretch.
    """
    n_before = 0
    for n_messages in plan.n_messages:
        await progress.wait_for(n_before + n_messages)
        times_ns, counts = progress.notes.take()
        cpu_ns = progress.cpu_ns(counts, n_messages)
        made = columns(n_before, n_before + n_messages)
        report(Arrivals(times_ns, counts, cpu_ns, made, extra()))
        n_before += n_messages


class KeptBatches:
    """What a consumer has got, which is compared with the ring's rows after the stretch.

    Attributes
    ----------
    n_priced, price_sum
        How many rows it has read the price of in this stretch, and their sum.
    """

    def __init__(self) -> None:
        self._batches: list[tuple[int, pa.RecordBatch]] = []
        self.n_priced = 0
        self.price_sum = 0.0

    def add(self, first: int, batch: pa.RecordBatch) -> None:
        """Keep a batch whose first row has this number."""
        self._batches.append((first, batch))

    def compare(self, first: int, rows: pa.RecordBatch) -> None:
        """Compare with what the ring holds from that number on, and forget them."""
        for at, batch in self._batches:
            if at >= first and not rows.slice(at - first, batch.num_rows).equals(batch):
                raise TickwireError(f"the batch from row {at} on is not what the ring has")
        self._batches.clear()

    def take_prices(self) -> dict[str, float]:
        """Give how many prices were read and their sum, and forget them; nothing where none was."""
        if not self.n_priced:
            return {}
        read = {"n_priced": self.n_priced, "price_sum": self.price_sum}
        self.n_priced, self.price_sum = 0, 0.0
        return read


async def run_feed(
    plan: Plan,
    report: Callable[[Arrivals], None],
    note: Callable[[FeedHandler, Progress, KeptBatches], Awaitable[None]],
    progress: Progress | None = None,
    **source_keys: Any,
) -> None:
    """Run a feed, and report every stretch of it.

    Parameters
    ----------
    plan
        The stretches.
    report
        Gets the arrivals.
    note
        Takes the rows of the feed, notes them and keeps what is to be compared, until cancelled.
    progress
        Where it notes.
    **source_keys
        More keys of `[[source]]`.
    """
    progress, kept = progress or Progress(), KeptBatches()
    source = Source(
        venue="hyperliquid",
        channels=["trades"],
        symbols=[SYMBOL],
        url=plan.url,
        proxy="off",
        first_message_s=TURNS_S,
        stale_after_s=TURNS_S,
        **source_keys,
    )
    async with FeedHandler([source]) as feed:
        if feed.pipeline is None:
            raise TickwireError("the feed does not run")
        read_to_ring = feed.pipeline.read_to_ring

        def columns(first: int, stop: int) -> dict[str, np.ndarray[Any, Any]]:
            # The rows of a stretch are still in the ring, which has more of them.
            with feed.batches("trades") as consumer:
                batch = consumer.get_nowait()
            kept.compare(stop - batch.num_rows, batch)
            n_rows = min(stop - first, batch.num_rows)
            return columns_of(batch.slice(batch.num_rows - n_rows))

        def extra() -> dict[str, Any]:
            figures = {"read_to_ring_us": dict(read_to_ring.to_dict_us())}
            read_to_ring.reset()
            return figures | kept.take_prices()

        noting = asyncio.ensure_future(note(feed, progress, kept))
        following = asyncio.ensure_future(follow(plan, progress, report, columns, extra))
        done, _ = await asyncio.wait({noting, following}, return_when=asyncio.FIRST_COMPLETED)
        for task in (noting, following):
            task.cancel()
        await asyncio.gather(noting, following, return_exceptions=True)
        if following not in done:
            raise TickwireError("the feed ended before the last message")
        following.result()


async def _reads(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    spent_ns: list[int] = []
    feeds: list[FeedHandler] = []
    progress = Progress()

    update = ProtocolCarrier.buffer_updated

    class TimedCarrier(ProtocolCarrier):
        def buffer_updated(self, nbytes: int) -> None:
            began_ns = thread_time_ns()
            update(self, nbytes)
            ended_ns = thread_time_ns()
            if feeds and feeds[0].pipeline is not None:
                n_published = feeds[0].pipeline.rings["trades"].published
                counts = progress.notes.counts
                if n_published - (counts[-1] if counts else 0) == 1:
                    spent_ns.append(ended_ns - began_ns)
                progress.add(monotonic_ns(), n_published)

    async def note(feed: FeedHandler, _progress: Progress, _kept: KeptBatches) -> None:
        feeds.append(feed)
        await asyncio.get_running_loop().create_future()

    def report_cpu(arrivals: Arrivals) -> None:
        arrivals.extra["read_cpu_us"] = percentiles_us(np.array(spent_ns, np.int64))
        spent_ns.clear()
        report(arrivals)

    # The connection makes its carriers by this name.
    vars(protocol)["ProtocolCarrier"] = TimedCarrier
    await run_feed(plan, report_cpu, note, progress)


async def note_publishes(feed: FeedHandler, progress: Progress, _kept: KeptBatches) -> None:
    """Note, inside each publish, how many rows the ring has."""
    if feed.pipeline is None:
        raise TickwireError("the feed does not run")
    ring = feed.pipeline.rings["trades"]
    add, arm = progress.add, ring.arm

    def on_publish() -> None:
        # The cursor has been stored: any consumer sees the rows.
        add(monotonic_ns(), ring.published)
        arm(on_publish)

    arm(on_publish)
    await asyncio.get_running_loop().create_future()


async def _to_batch(feed: FeedHandler, progress: Progress, kept: KeptBatches) -> None:
    n_rows = n_batches = 0
    add, keep = progress.add, kept.add
    async for batch in feed.batches("trades"):
        now_ns = monotonic_ns()
        n_rows += batch.num_rows
        add(now_ns, n_rows)
        n_batches += 1
        if n_batches % KEPT_EVERY == 0:
            keep(n_rows - batch.num_rows, batch)
        del batch  # dropped when it has been used, not when the next one comes


def columns_of(batch: pa.RecordBatch) -> dict[str, np.ndarray[Any, Any]]:
    """Give the columns that are compared."""
    return {
        "trade_id": batch["trade_id"].cast(pa.int64()).to_numpy(),
        "price": batch["price"].to_numpy(),
        "size": batch["size"].to_numpy(),
    }
