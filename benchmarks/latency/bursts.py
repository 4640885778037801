"""Latency in the bursts of a recorded day of Binance, at its own pace and faster.

Rules of this file
------------------
- Each of the capture's connections is one of tickwire's, with its books, whose snapshots come from
  the answers recorded beside it. What comes in the first moments does not count: deltas wait for
  their snapshots then.
- A row is published, or in the body of an `async for`, together with all rows of its read. So a
  message has arrived in the ring when all of its read has, and in the program when every table's
  `async for` has got what that read published.
- A message without rows (a delta that its snapshot makes needless) has arrived with the next read.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvloop
from benchmarks.captures.cases import BINANCE_CONNECTIONS
from benchmarks.captures.preparation import subscribe_request
from benchmarks.captures.recorded import RecordedFrames, RecordedLoad
from benchmarks.captures.snapshots import SnapshotServer
from numpy.typing import NDArray

from tickwire import FeedHandler, Source
from tickwire.bench.arrivals import Ns
from tickwire.bench.open_loop import OpenLoopServer
from tickwire.bench.outcomes import StagePipeline, StageResult
from tickwire.bench.processes import ReceiverProcess
from tickwire.bench.receivers import BUFFER_BYTES, subscribe_by_hand
from tickwire.bench.schedule import Stretch
from tickwire.bench.stretches import StretchesJob, receive_stretches
from tickwire.bench.tickwire_pipeline import without_path
from tickwire.errors import TickwireError

TABLES = ("trades", "quotes", "book")
KINDS = {"trades": b"@trade", "quotes": b"@bookTicker"}  # one row each
SPEEDS = (1.0, 10.0, 50.0)
LEAD_S = 0.5
LOOK_S = 0.05
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class BurstPlan:
    """What a receiver will get.

    Parameters
    ----------
    urls
        Of each connection, in the order of `BINANCE_CONNECTIONS`.
    rest_url
        Where snapshots are.
    ends
        Of each connection, where each of its frames ends; shape (n,), int64, bytes.
    numbers
        Of each connection, how many data messages there are up to and with each; shape (n,), int64.
        A trade off the book is none: it counts as the one before it.
    """

    urls: tuple[str, ...]
    rest_url: str
    ends: tuple[NDArray[np.int64], ...]
    numbers: tuple[NDArray[np.int64], ...]


@dataclass(slots=True)
class BurstArrivals:
    """When the messages arrived.

    Parameters
    ----------
    times_ns
        Stage to the times of each connection's messages; shape (n,), int64, monotonic ns.
    rows
        Rows of each table.
    faults
        What was wrong.
    cpu_ns
        User and system time of the process, all threads, with what it takes to start.
    """

    times_ns: dict[str, list[Ns]]
    rows: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cpu_ns: int = 0


def receive_bursts_alone(plan: BurstPlan, report: Callable[[BurstArrivals], None]) -> None:
    """Read what is there with `recv`, and only take the time: the machine's own latency."""
    poll = select.poll()
    readers: dict[int, tuple[int, socket.socket]] = {}
    with ExitStack() as stack:
        for lane, url in enumerate(plan.urls):
            parts = urlsplit(url)
            reader = socket.create_connection((parts.hostname or "", parts.port or 0))
            stack.enter_context(reader)
            subscribe_by_hand(reader, [subscribe_request(lane)])
            poll.register(reader, select.POLLIN)
            readers[reader.fileno()] = (lane, reader)
        buffer = bytearray(BUFFER_BYTES)
        notes: list[list[tuple[int, int]]] = [[] for _ in plan.urls]
        n_read = [0] * len(plan.urls)
        left = sum(int(ends[-1]) for ends in plan.ends if len(ends))
        while left:
            for number, _ in poll.poll():
                lane, reader = readers[number]
                n_more = reader.recv_into(buffer)
                now_ns = monotonic_ns()
                if not n_more:
                    raise TickwireError("the sender left")
                left -= n_more
                n_read[lane] += n_more
                notes[lane].append((now_ns, n_read[lane]))
    times_ns = []
    for own, ends in zip(notes, plan.ends, strict=True):
        noted_ns, n_bytes = np.array(own, np.int64).reshape(-1, 2).T
        times_ns.append(noted_ns[np.searchsorted(n_bytes, ends)])
    report(BurstArrivals({"sent_to_recv": times_ns}))


def receive_bursts(plan: BurstPlan, report: Callable[[BurstArrivals], None]) -> None:
    """Note publishes and batches of a feed with an `async for` on every table."""
    uvloop.run(_feed(plan, report))


class PublishNotes:
    """What has been read and published, noted inside every publish of a feed."""

    def __init__(self) -> None:
        self.times_ns: list[int] = []
        self.messages: list[tuple[int, ...]] = []
        self.rows: list[tuple[int, ...]] = []

    def add(self, now_ns: int, messages: tuple[int, ...], rows: tuple[int, ...]) -> None:
        """Note how many messages each source has decoded, and how many rows each ring has."""
        self.times_ns.append(now_ns)
        self.messages.append(messages)
        self.rows.append(rows)

    def arrivals(
        self, numbers: Sequence[NDArray[np.int64]]
    ) -> tuple[list[Ns], list[NDArray[np.int64]]]:
        """Give, per source, when each message was in the rings, and how many rows they had then.

        Parameters
        ----------
        numbers
            Of each source, the number of each message; as in `BurstPlan`.

        Returns
        -------
        times_ns, rows
            shape (n,) and (n, tables) for each source.
        """
        times_ns = np.array(self.times_ns, np.int64)
        messages, rows = np.array(self.messages, np.int64), np.array(self.rows, np.int64)
        # One read publishes the rings one after the other, so the last note of a read tells.
        is_last = np.append((np.diff(messages, axis=0) != 0).any(axis=1), True)
        times_ns, messages, rows = times_ns[is_last], messages[is_last], rows[is_last]
        places = [np.searchsorted(messages[:, source], own) for source, own in enumerate(numbers)]
        return [times_ns[place] for place in places], [rows[place] for place in places]


def taken_at(
    wanted: NDArray[np.int64], notes: Sequence[Sequence[tuple[int, int]]], published: Ns
) -> Ns:
    """Give when every table's `async for` had got so many rows.

    Parameters
    ----------
    wanted
        shape (n, tables), rows.
    notes
        Of each table, the time of every batch and the rows so far.
    published
        shape (n,), ns: not before that.
    """
    latest = published.copy()
    for table, own in enumerate(notes):
        times_ns, rows = np.array([(0, 0), *own], np.int64).T
        latest = np.maximum(latest, times_ns[np.searchsorted(rows, wanted[:, table])])
    return latest


async def _feed(plan: BurstPlan, report: Callable[[BurstArrivals], None]) -> None:
    sources = [
        Source(
            venue=venue,
            channels=list(TABLES),
            symbols=[symbol],
            url=without_path(url),
            rest_url=plan.rest_url,
        )
        for url, (venue, _, symbol) in zip(plan.urls, BINANCE_CONNECTIONS, strict=False)
    ]
    n_messages = [int(own[-1]) if len(own) else 0 for own in plan.numbers]
    notes = PublishNotes()
    taken: list[list[tuple[int, int]]] = [[] for _ in TABLES]
    async with FeedHandler(sources) as feed:
        pipeline = feed.pipeline
        if pipeline is None:
            raise TickwireError("the feed does not run")
        decoders = [source.decoder for source in pipeline.sources]
        rings = [pipeline.rings[table] for table in TABLES]

        def note() -> None:
            now_ns = monotonic_ns()
            notes.add(
                now_ns,
                tuple([decoder.messages for decoder in decoders]),
                tuple([ring.published for ring in rings]),
            )

        def follow(ring: Any) -> None:
            def on_publish() -> None:
                note()
                ring.arm(on_publish)

            ring.arm(on_publish)

        async def take(table: str, own: list[tuple[int, int]]) -> None:
            n_rows = 0
            async for batch in feed.batches(table):
                now_ns = monotonic_ns()
                n_rows += batch.num_rows
                own.append((now_ns, n_rows))
                del batch

        for ring in rings:
            follow(ring)
        takers = [asyncio.ensure_future(take(*one)) for one in zip(TABLES, taken, strict=True)]
        while [decoder.messages for decoder in decoders] != n_messages:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(LOOK_S)  # a decoder sets no event
        note()  # for what has no rows at the very end
        await asyncio.sleep(LOOK_S)
        for taker in takers:
            taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)
    report(_arrivals(plan, notes, taken, feed.summary()))


def _arrivals(
    plan: BurstPlan,
    notes: PublishNotes,
    taken: Sequence[Sequence[tuple[int, int]]],
    summary: Mapping[str, Any],
) -> BurstArrivals:
    """Put together what was noted, and what the feed itself says that went wrong."""
    arrived, rows = notes.arrivals(plan.numbers)
    in_batches = [
        taken_at(wanted, taken, published) for wanted, published in zip(rows, arrived, strict=True)
    ]
    names = ("decode_errors", "dropped_rows", "gaps", "reconnects")
    faults = [f"{name}: {summary[name]}" for name in names if summary[name]]
    return BurstArrivals(
        {"sent_to_ring": arrived, "sent_to_batch": in_batches}, summary["rows"], faults
    )


RECV = StagePipeline("recv, time only", "sent_to_recv", receive_bursts_alone, decodes=False)
TO_RING = StagePipeline("tickwire[protocol]", "sent_to_ring", receive_bursts)
TO_BATCH = StagePipeline("tickwire[protocol]", "sent_to_batch", receive_bursts)


def measure_bursts(
    path: Path,
    seconds: float,
    speeds: Sequence[float] = SPEEDS,
    *,
    lead_s: float = LEAD_S,
    tell: Callable[[str], None] = print,
) -> list[StageResult]:
    """Play the beginning of a capture to a bare recv, then to tickwire, at each speed.

    Parameters
    ----------
    path
        Of the capture; its connections are those of `BINANCE_CONNECTIONS`.
    seconds
        How long each run is; at a speed of 10 it plays ten times as much of the capture.
    speeds
        1.0 is the capture's own pace.
    lead_s
        So much of the beginning of each run does not count.
    tell
        Gets a line per result.

    Raises
    ------
    TickwireError
        Where a process fails or messages are missing.
    """
    results = []
    for speed in speeds:
        load = RecordedLoad(path, tuple(range(len(BINANCE_CONNECTIONS))), seconds * speed, speed)
        frames = load.open()
        for stages in ((RECV,), (TO_RING, TO_BATCH)):
            found = _play(load, frames, stages, lead_s)
            for result in found:
                tell(_told(result))
            results += found
    return results


def _play(
    load: RecordedLoad, frames: RecordedFrames, stages: Sequence[StagePipeline], lead_s: float
) -> list[StageResult]:
    lanes = [np.flatnonzero(frames.lane_of == lane) for lane in range(load.n_lanes)]
    is_data = np.array([not _is_off_book(payload) for payload in frames.payloads])
    with OpenLoopServer(load) as server, SnapshotServer(load.path) as rest:
        plan = BurstPlan(
            tuple(server.urls),
            rest.url,
            tuple(frames.ends[own] for own in lanes),
            tuple(np.cumsum(is_data[own]) for own in lanes),
        )
        with ReceiverProcess(receive_stretches) as receiver:
            receiver.begin(StretchesJob(stages[0].receive, plan))
            # The capture has its own times; any rate says that they are to be kept.
            server.begin(Stretch(frames.n_messages, 1.0))
            timeout_s = load.seconds / load.speed + TIMEOUT_S
            arrivals: BurstArrivals = receiver.result(timeout_s)
            sent = server.report(timeout_s)
    results = []
    for stage in stages:
        seconds = float(frames.due_ns[-1]) / 1e9
        what = f"binance capture x{load.speed:g}"
        result = StageResult(stage, frames.n_messages / seconds, what, lead_s)
        latency_ns = np.empty(frames.n_messages, np.int64)
        for own, times_ns in zip(lanes, arrivals.times_ns[stage.stage], strict=True):
            latency_ns[own] = times_ns - sent.due_ns[own]
        result.count(latency_ns, sent, arrivals.cpu_ns)
        if stage.decodes:
            result.faults += arrivals.faults + faults_of(arrivals.rows, frames.payloads)
        results.append(result)
    return results


def faults_of(rows: dict[str, int], payloads: Sequence[bytes]) -> list[str]:
    """Compare the rows with the messages that give one each."""
    kinds = Counter(
        table
        for payload in payloads
        for table, mark in KINDS.items()
        if mark in payload[: payload.index(b",")] and not _is_off_book(payload)
    )
    return [
        f"{rows.get(table, 0)} rows of {table} instead of {kinds[table]}"
        for table in KINDS
        if rows.get(table, 0) != kinds[table]
    ]


def _is_off_book(payload: bytes) -> bool:
    """Whether it is a trade of an insurance fund or the like, which is none of the market's."""
    return b'"X":' in payload and b'"X":"MARKET"' not in payload


def _told(result: StageResult) -> str:
    latency, late = result.runs[-1]["latency_us"], result.runs[-1]["sender_late_us"]
    return (
        f"{result.what} {result.pipeline.stage:<14} {result.pipeline.name:<20} "
        f"p50 {latency['p50']:9,.1f}  p99 {latency['p99']:9,.1f}  "
        f"p99.9 {latency['p999']:10,.1f} us   sender late p50 {late['p50']:,.1f}, "
        f"p99 {late['p99']:,.1f} us" + "".join(f"  WRONG: {fault}" for fault in result.faults)
    )
