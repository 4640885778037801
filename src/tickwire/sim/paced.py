"""The open-loop sender: every message leaves when it is due, from a process of its own.

Rules of this file
------------------
- A schedule is fixed before it starts, and nothing that the client does changes it: a message is
  sent at its due time, or as soon after as the socket takes it. Latency is counted from the due
  time, so a stall anywhere, the sender's own too, is latency of every message that it delays.
- The sender sleeps only while the next message is far off; close to the due time it spins, which
  takes a processor of its own. How late each message was handed to the socket is reported.
- Times are those of the monotonic clock, which all processes of a machine share. A trade's id is
  the wall clock's time in ns at which it was due, so that what arrives can be told.
- What is late goes out with what is due by then, in one piece, so that lateness does not grow.
"""

from __future__ import annotations

import gc
import multiprocessing
import socket
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tickwire.errors import TickwireError
from tickwire.sim.peer import Peer
from tickwire.sim.tape import record

Ns = NDArray[np.int64]

SPIN_NS = 200_000  # closer to the due time than this, a sleep could wake too late
CALM_NS = 1_000_000  # with this much time left, requests and pings of the client are looked at
ANSWER_NS = 100_000_000  # and this often even without it
LEAD_NS = 20_000_000  # between the order to start and the first due time, to get ready
PREPARE_NS = 300  # and so much more for each message of a pass, whose id is written meanwhile


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages on one schedule.

    Parameters
    ----------
    n_messages
        How many.
    rate
        Messages per second, evenly spaced; 0: as fast as the client takes them, to warm it up.
    """

    n_messages: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class StretchReport:
    """What was sent on one schedule.

    Parameters
    ----------
    start_ns
        Wall clock at the start of the schedule; the ids count from it.
    due_ns
        shape (n,), int64, monotonic ns at which each message was due; empty without a rate.
    late_ns
        shape (n,), int64, ns from the due time until the message was handed to the socket.
    n_bytes
        Sent, frame headers included.
    seconds
        From the start of the schedule to the end of the last send.
    blocked_seconds
        Of these, spent waiting for the client to read.
    """

    start_ns: int
    due_ns: Ns
    late_ns: Ns
    n_bytes: int
    seconds: float
    blocked_seconds: float


class Load(Protocol):
    """Something to send: frames, and when they are due."""

    @property
    def n_lanes(self) -> int:
        """How many connections it is for."""

    def passes(self, stretch: Stretch, start_ns: int) -> Iterator[Pass]:
        """Give the next messages, a block at a time, with ids that count from `start_ns`."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A block of frames that is ready to be sent.

    Parameters
    ----------
    data
        The frames, one behind the other.
    ends
        Where each ends.
    due_ns
        shape (n,), int64, ns after the start of the schedule, ascending.
    lanes
        The connection of each frame; None: all go to the first.
    """

    data: bytearray | bytes
    ends: list[int]
    due_ns: Ns
    lanes: list[int] | None = None


@dataclass(frozen=True, slots=True)
class TradeLoad:
    """Hyperliquid trades, one per message, all of the same length.

    Parameters
    ----------
    tape_messages
        Messages in one pass. The ids of a pass are written before its first message is due: a
        stretch of one pass is sent without a pause, between passes there is a short one.
    coin
        Of every message.
    seed
        Of prices and sizes.
    """

    tape_messages: int = 1000
    coin: str = "BTC"
    seed: int = 0

    n_lanes = 1

    def passes(self, stretch: Stretch, start_ns: int) -> Iterator[Pass]:
        """Give the next messages, a pass at a time, with ids that count from `start_ns`."""
        tape = record("trades", self.tape_messages, stamp=True, coin=self.coin, seed=self.seed)
        ends = tape.ends.tolist()
        # Without a rate nothing is due: ids are a ns apart, so that they are still unique.
        rate = stretch.rate or 1e9
        for first in range(0, stretch.n_messages, tape.n_messages):
            n_messages = min(tape.n_messages, stretch.n_messages - first)
            tape.stamp(start_ns, first, rate)
            due_ns = due_times(first, n_messages, rate)
            yield Pass(tape.data, ends[:n_messages], due_ns)


def due_times(first: int, n_messages: int, rate: float) -> Ns:
    """Give when evenly spaced messages are due; shape (n,), int64, ns after the start."""
    return (np.arange(first, first + n_messages) * (1e9 / rate)).astype(np.int64)


class Pacer:
    """Sends stretches over connections whose handshakes are done.

    Parameters
    ----------
    peers
        The connections, by lane.
    load
        What to send.
    """

    def __init__(self, peers: Sequence[Peer], load: Load) -> None:
        self._peers = peers
        self._load = load
        self._answer_after_ns = 0

    @property
    def is_closed(self) -> bool:
        """Whether a client has left."""
        return any(peer.is_closed for peer in self._peers)

    def answer(self, timeout_s: float = 0.0) -> None:
        """Answer what the clients have sent."""
        for peer in self._peers:
            peer.answer(timeout_s)
        self._answer_after_ns = time.monotonic_ns() + ANSWER_NS

    def send(self, stretch: Stretch) -> StretchReport:
        """Send one stretch; returns when the last message has been handed to the socket."""
        blocked_ns = sum(peer.blocked_ns for peer in self._peers)
        wall_ns, now_ns = time.time_ns(), time.monotonic_ns()
        lead_ns = LEAD_NS if stretch.rate else 0
        start_ns = now_ns + lead_ns
        due, late = [], []
        n_bytes = 0
        passes = self._load.passes(stretch, wall_ns + lead_ns)
        for block in passes:
            if stretch.rate:
                late.append(self._send_on_time(block, start_ns))
                due.append(block.due_ns + start_ns)
            else:
                self._peers[0].send(memoryview(block.data)[: block.ends[-1]])
                self.answer()
            n_bytes += block.ends[-1]
            if self.is_closed:
                break
        return StretchReport(
            wall_ns + lead_ns,
            np.concatenate(due) if due else np.empty(0, np.int64),
            np.concatenate(late) if late else np.empty(0, np.int64),
            n_bytes,
            (time.monotonic_ns() - start_ns) / 1e9,
            (sum(peer.blocked_ns for peer in self._peers) - blocked_ns) / 1e9,
        )
