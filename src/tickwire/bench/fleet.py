"""A load over many connections, from one process with sockets that do not block.

Rules of this file
------------------
- Every connection has its own share of the coins and its own tape; which share follows from the
  coin that its first request names. Sending begins when all have asked for everything.
- The connections take turns, a chunk each, so that all of them have something to read all the time.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

from tickwire.bench.load import LoadServer, LoadSpec, wait_for_requests
from tickwire.bench.raw_server import RawConnection
from tickwire.bench.sender import LoadReport
from tickwire.bench.tape import Tape
from tickwire.errors import TickwireError
from tickwire.sim.authority import server_context

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 16
ALL_WAIT_MS = 1000
LEAST_SLEEP_S = 0.000_05
_END = memoryview(b"")


class FleetServer(LoadServer):
    """A load generator for `spec.n_connections` clients; a context manager."""

    def __init__(self, spec: LoadSpec) -> None:
        super().__init__(spec, _serve)


def send_in_turns(
    clients: Sequence[RawConnection], blocks: Sequence[Iterator[memoryview]]
) -> float:
    """Send to each client its blocks, one after the other, at any speed of reading.

    Parameters
    ----------
    clients
        Their handshakes are done.
    blocks
        One iterator per client. A block is asked for when all before it has been sent.

    Returns
    -------
    float
        Seconds in which no client took anything.
    """
    poll = select.poll()
    pending: dict[int, tuple[RawConnection, memoryview, Iterator[memoryview]]] = {}
    for client, own in zip(clients, blocks, strict=True):
        pending[client.fileno()] = (client, _END, own)
        poll.register(client.fileno(), select.POLLOUT)
    blocked_ns = 0
    while pending:
        n_taken = 0
        for number, (client, view, own) in list(pending.items()):
            rest = view or next(own, _END)
            if not rest or client.is_closed:
                del pending[number]
                poll.unregister(number)
                continue
            n_sent = client.try_send(rest[:CHUNK_BYTES])
            n_taken += n_sent
            pending[number] = (client, rest[n_sent:], own)
        if pending and not n_taken:
            began_ns = time.monotonic_ns()
            poll.poll(ALL_WAIT_MS)
            blocked_ns += time.monotonic_ns() - began_ns
            for client in clients:
                client.answer()
    return blocked_ns / 1e9


def send_at_pace(clients: Sequence[RawConnection], tapes: Sequence[Tape], rate: float) -> float:
    """Send each client its tape, once, a message to one client after the other.

    Parameters
    ----------
    clients
        Their handshakes are done.
    tapes
        Of as many messages each.
    rate
        Messages per second, of all together.

    Returns
    -------
    float
        Seconds in which a client took nothing.
    """
    for tape in tapes:
        tape.number(0)
    views = [memoryview(tape.data) for tape in tapes]
    began_ns = time.monotonic_ns()
    n_sent = 0
    for number in range(tapes[0].n_messages):
        for client, view, tape in zip(clients, views, tapes, strict=True):
            ahead_s = n_sent / rate - (time.monotonic_ns() - began_ns) / 1e9
            if ahead_s > LEAST_SLEEP_S:
                time.sleep(ahead_s)
            first = int(tape.ends[number - 1]) if number else 0
            client.send(view[first : int(tape.ends[number])])
            n_sent += 1
        for client in clients:
            client.answer()
    return sum(client.blocked_ns for client in clients) / 1e9


def _passes(spec: LoadSpec, tape: Tape) -> Iterator[memoryview]:
    """Yield one connection's tape over and over, each time with fresh ids."""
    view = memoryview(tape.data)
    for first_message in range(0, spec.n_messages, tape.n_messages):
        tape.number(first_message)
        yield view[: int(tape.ends[min(tape.n_messages, spec.n_messages - first_message) - 1])]


def _in_order_of_parts(
    clients: Sequence[RawConnection], parts: Sequence[LoadSpec]
) -> list[RawConnection]:
    """Find out who asked for which part, by the coin that a first request names."""
    ordered = []
    for part in parts:
        names = [f'"{coin}"'.encode() for coin in part.coins]
        asked = [
            client for client in clients if any(name in client.first_request for name in names)
        ]
        if len(asked) != 1:
            raise TickwireError(f"{len(asked)} connections asked for {part.coins[0]}")
        ordered += asked
    return ordered


def _serve(spec: LoadSpec, pipe: Connection) -> None:
    parts = spec.parts()
    tapes = [part.record() for part in parts]
    context = server_context(HOST, Path(spec.tls_folder))[0] if spec.tls_folder else None
    clients: list[RawConnection] = []
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((HOST, 0), backlog=len(parts)))
        pipe.send(listener.getsockname()[1])
        try:
            for _ in parts:
                connected, _ = listener.accept()
                if context is not None:
                    connected = context.wrap_socket(connected, server_side=True)
                clients.append(RawConnection(stack.enter_context(connected)))
                clients[-1].shake_hands()
            for client in clients:
                wait_for_requests(client, spec.n_requests)
            ordered = _in_order_of_parts(clients, parts)
            start_ns, start_mono_ns = time.time_ns(), time.monotonic_ns()
            if spec.rate:
                blocked_s = send_at_pace(ordered, tapes, spec.rate)
            else:
                blocked_s = send_in_turns(ordered, list(map(_passes, parts, tapes)))
            seconds = (time.monotonic_ns() - start_mono_ns) / 1e9
            pipe.send(LoadReport(spec.n_messages, 0, seconds, blocked_s, start_ns, {}))
        except TickwireError as error:
            pipe.send(str(error))
        finish(clients, hang_up=spec.hang_up)


def finish(clients: Sequence[RawConnection], *, hang_up: bool) -> None:
    """Hang up, or wait for the clients to do so: they still read."""
    for client in clients:
        if hang_up:
            client.hang_up()
    while not all(client.is_closed for client in clients):
        for client in clients:
            client.answer(0.01)
