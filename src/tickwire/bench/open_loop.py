"""The open-loop sender: every message leaves when it is due, from a process of its own.

Rules of this file
------------------
- A schedule is fixed before it starts, and nothing that the client does changes it: a message is
  sent at its due time, or as soon after as the socket takes it. Latency is counted from the due
  time, so a stall anywhere, the sender's own too, is latency of every message that it delays.
- The sender sleeps only while the next message is far off; close to the due time it spins, which
  takes a processor of its own. How late each message was handed to the socket is reported.
- Times are those of the monotonic clock, which all processes of a machine share.
- What is late goes out with what is due by then, in one piece, so that lateness does not grow.
"""

from __future__ import annotations

import gc
import socket
import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from tickwire.bench.processes import ChildProcess
from tickwire.bench.raw_server import RawConnection
from tickwire.bench.schedule import Frames, Load, Ns, Pass, Stretch
from tickwire.errors import TickwireError

SPIN_NS = 200_000  # closer to the due time than this, a sleep could wake too late
CALM_NS = 1_000_000  # with this much time left, requests and pings of the client are looked at
ANSWER_NS = 100_000_000  # if they have not been for this long
MUST_ANSWER_NS = 1_000_000_000  # and after this long whether there is time or not
LEAD_NS = 20_000_000  # between the order to start and the first due time, to get ready
PREPARE_NS = 300  # and so much more for each message, whose id is written meanwhile
MAX_LEAD_NS = 100_000_000


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


class OpenLoopSender:
    """Sends stretches over connections whose handshakes are done.

    Parameters
    ----------
    clients
        The connections, by lane.
    frames
        What to send.
    """

    def __init__(self, clients: Sequence[RawConnection], frames: Frames) -> None:
        self._peers = clients
        self._frames = frames
        self._answered_ns = 0

    @property
    def is_closed(self) -> bool:
        """Whether a client has left."""
        return any(client.is_closed for client in self._peers)

    def answer(self, timeout_s: float = 0.0) -> None:
        """Answer what the clients have sent."""
        for client in self._peers:
            client.answer(timeout_s)
        self._answered_ns = time.monotonic_ns()

    def send(self, stretch: Stretch) -> StretchReport:
        """Send one stretch; returns when the last message has been handed to the socket."""
        blocked_ns = self._blocked_ns()
        # The first pass must be ready by then.
        lead_ns = min(LEAD_NS + PREPARE_NS * stretch.n_messages, MAX_LEAD_NS)
        if not stretch.rate:
            lead_ns = 0
        wall_ns, start_ns = time.time_ns() + lead_ns, time.monotonic_ns() + lead_ns
        due, late = [], []
        n_bytes = 0
        for block in self._frames.passes(stretch, wall_ns):
            if stretch.rate:
                due.append(block.due_ns + start_ns)
                late.append(self._send_on_time(block, start_ns))
            else:
                self._peers[0].send(memoryview(block.lanes[0])[: block.ends[-1]])
                self.answer()
            n_bytes += block.n_bytes
            if self.is_closed:
                break
        return StretchReport(
            wall_ns,
            np.concatenate(due) if due else np.empty(0, np.int64),
            np.concatenate(late) if late else np.empty(0, np.int64),
            n_bytes,
            (time.monotonic_ns() - start_ns) / 1e9,
            (self._blocked_ns() - blocked_ns) / 1e9,
        )

    def _send_on_time(self, block: Pass, start_ns: int) -> Ns:
        """Send a pass, each message when it is due; gives how late each was, ns."""
        views, ends, lane_of = [memoryview(data) for data in block.lanes], block.ends, block.lane_of
        positions = [0] * len(views)
        due_ns = (block.due_ns + start_ns).tolist()
        n_messages = len(due_ns)
        sent_until, sent_ns = [], []  # of each send: the message behind its last one, and when
        clock = time.monotonic_ns
        first = 0
        while first < n_messages and not self.is_closed:
            now_ns = clock()
            ahead_ns = due_ns[first] - now_ns
            if ahead_ns > 0:
                self._wait(ahead_ns, now_ns)
                continue
            stop = first + 1
            if stop < n_messages and due_ns[stop] <= now_ns:
                stop = bisect_right(due_ns, now_ns, stop)
            # Of each connection, how far its frames are due.
            due_ends = {0: ends[stop - 1]}
            if lane_of is not None:
                due_ends = dict(zip(lane_of[first:stop], ends[first:stop], strict=True))
            for lane, end in due_ends.items():
                self._peers[lane].send(views[lane][positions[lane] : end])
                positions[lane] = end
            if now_ns - self._answered_ns > MUST_ANSWER_NS:
                self.answer()
            sent_until.append(stop)
            sent_ns.append(now_ns)
            first = stop
        n_each = np.diff(sent_until, prepend=0)
        return np.repeat(sent_ns, n_each) - np.array(due_ns[:first], np.int64)

    def _wait(self, ahead_ns: int, now_ns: int) -> None:
        """Let some of the time until the next message go by; returns at once where it is near."""
        if ahead_ns > CALM_NS and now_ns - self._answered_ns > ANSWER_NS:
            self.answer()
        elif ahead_ns > SPIN_NS:
            time.sleep((ahead_ns - SPIN_NS) / 1e9)

    def _blocked_ns(self) -> int:
        return sum(client.blocked_ns for client in self._peers)


class OpenLoopServer(ChildProcess):
    """An open-loop sender in its own process; a context manager.

    Parameters
    ----------
    load
        What it sends to the clients, one for each lane.

    Attributes
    ----------
    urls
        Where to connect, by lane.
    """

    name = "the sender"

    def __init__(self, load: Load) -> None:
        super().__init__()
        self.load = load
        self.urls: list[str] = []

    def __enter__(self) -> OpenLoopServer:
        self._start(_serve, self.load)
        self.urls = [f"ws://127.0.0.1:{port}/ws" for port in self._answer(60.0)]
        return self

    def send(self, stretch: Stretch, timeout_s: float = 60.0) -> StretchReport:
        """Send one stretch, once every client has subscribed; returns when it has been sent.

        Raises
        ------
        TickwireError
            Where the sender failed, or did not finish in time.
        """
        self.begin(stretch)
        return self.report(timeout_s)

    def begin(self, stretch: Stretch) -> None:
        """Let it send one stretch, once every client has subscribed; `report` waits for that."""
        self._send(stretch)

    def report(self, timeout_s: float = 60.0) -> StretchReport:
        """Wait until the stretch has been sent.

        Raises
        ------
        TickwireError
            Where the sender failed, or did not finish in time.
        """
        report: StretchReport = self._answer(timeout_s)
        if len(report.late_ns) < len(report.due_ns) or report.n_bytes == 0:
            raise TickwireError("the client left before everything was sent")
        return report

    def _answer(self, timeout_s: float) -> Any:
        answer = self._receive(timeout_s)
        if isinstance(answer, TickwireError):
            raise answer
        return answer


def _serve(load: Load, pipe: Connection) -> None:
    try:
        frames = load.open()
        with ExitStack() as stack:
            listeners = [
                stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                for _ in range(load.n_lanes)
            ]
            pipe.send([listener.getsockname()[1] for listener in listeners])
            clients = _accept(listeners, load.n_requests, stack)
            _send_stretches(OpenLoopSender(clients, frames), clients, pipe)
    except TickwireError as error:
        pipe.send(error)
    pipe.poll(None)  # its parent ends it


def _accept(
    listeners: Sequence[socket.socket], n_requests: int, stack: ExitStack
) -> list[RawConnection]:
    """Take a client for each listener and its requests; they come in any order."""
    clients: dict[int, RawConnection] = {}
    while len(clients) < len(listeners) or any(
        client.n_requests < n_requests for client in clients.values()
    ):
        free = {one.fileno(): n for n, one in enumerate(listeners) if n not in clients}
        ready = wait([*free, *(client.fileno() for client in clients.values())])
        for number in free.keys() & set(ready):
            connected, _ = listeners[free[number]].accept()
            client = RawConnection(stack.enter_context(connected))
            client.shake_hands()
            clients[free[number]] = client
        for client in clients.values():
            client.answer()
            if client.is_closed:
                raise TickwireError("the client left")
    return [clients[n] for n in range(len(listeners))]


def _send_stretches(
    sender: OpenLoopSender, clients: Sequence[RawConnection], pipe: Connection
) -> None:
    """Send each stretch that is asked for until the clients or the parent are gone."""
    # A collection in the middle of a stretch would make messages late. It stays off: the process is
    # the sender's own, and is ended from outside.
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        sender.answer()
        if sender.is_closed:
            raise TickwireError("the client left")
        # Nothing wakes up without need: other pipelines may be measured meanwhile.
        if pipe in wait([pipe, *(client.fileno() for client in clients)]):
            try:
                stretch = pipe.recv()
            except EOFError:
                return
            pipe.send(sender.send(stretch))
