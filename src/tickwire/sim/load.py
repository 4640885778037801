"""The load generator: a tape over one socket, plain or TLS, from a process of its own.

Rules of this file
------------------
- One client, blocking sockets with a poll where it matters, no event loop: the sender must cost
  less than whatever it measures. `measure_ceiling` says how fast it is into a reader that only
  throws bytes away.
- At a rate the schedule is open loop: message i is due at start + i / rate whatever the client
  does, and a stamped id is that due time, so that waiting in the sender counts as latency too.
- The peer may be any WebSocket client. It sends its requests, each gets a subscriptionResponse, and
  after `n_requests` of them the load starts. Pings are answered between batches.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

from tickwire.errors import TickwireError
from tickwire.sim.authority import server_context
from tickwire.sim.peer import Peer
from tickwire.sim.tape import MIXES, Mix, Tape, record

_IDLE_S = 0.0001


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What to send.

    Parameters
    ----------
    mix
        `trades`, `bbo`, `book` or `mix`.
    n_messages
        In all.
    rate
        Messages per second; 0 as fast as the client takes them.
    stamp
        Trade ids are the times in ns at which messages are due; needs a rate.
    tape_messages
        How many different messages there are before the tape repeats with fresh ids.
    n_requests
        Client messages to wait for before sending.
    coin
        Of every message.
    seed
        Of prices and sizes.
    hang_up
        End the connection once all is sent; otherwise the client does.
    tls_folder
        Speak TLS, and write the authority's certificate there, as `ca.pem`; empty: plain.
    """

    mix: Mix = "trades"
    n_messages: int = 1_000_000
    rate: float = 0.0
    stamp: bool = False
    tape_messages: int = 10_000
    n_requests: int = 1
    coin: str = "BTC"
    seed: int = 0
    hang_up: bool = False
    tls_folder: str = ""

    def record(self) -> Tape:
        """Build the tape; passes are `n_messages` long, the last one possibly shorter."""
        n_messages = min(self.tape_messages, self.n_messages)
        return record(self.mix, n_messages, stamp=self.stamp, coin=self.coin, seed=self.seed)


@dataclass(slots=True)
class LoadReport:
    """What was sent.

    Parameters
    ----------
    messages, bytes
        Sent, frame headers included.
    seconds
        From the first to the last send.
    blocked_seconds
        Of these, spent waiting for the client to read.
    start_ns
        Wall clock at the start of the schedule.
    latest_us
        By how much a message was handed to the socket after it was due, at worst.
    rows
        Rows per table.
    """

    messages: int
    bytes: int
    seconds: float
    blocked_seconds: float
    start_ns: int
    latest_us: float
    rows: dict[str, int]

    @property
    def messages_per_second(self) -> float:
        """The rate that was reached."""
        return self.messages / self.seconds if self.seconds else 0.0


def send_load(peer: Peer, spec: LoadSpec, tape: Tape) -> LoadReport:
    """Send the whole load over a connection whose handshake is done."""
    while peer.n_requests < spec.n_requests and not peer.is_closed:
        peer.answer(0.1)
    view = memoryview(tape.data)
    ends = tape.ends.tolist()
    rows = dict.fromkeys(tape.rows, 0)
    start_ns, start_mono_ns = time.time_ns(), time.monotonic_ns()
    n_sent = n_bytes = latest_ns = 0
    while n_sent < spec.n_messages and not peer.is_closed:
        n_pass = min(tape.n_messages, spec.n_messages - n_sent)
        if spec.stamp:
            tape.stamp(start_ns, n_sent, spec.rate)
        else:
            tape.number(n_sent)
        if spec.rate:
            late_ns = _send_on_time(peer, spec.rate, view, ends[:n_pass], n_sent, start_mono_ns)
            latest_ns = max(latest_ns, late_ns)
        else:
            peer.send(view[: ends[n_pass - 1]])
            peer.answer()
        n_sent += n_pass
        n_bytes += ends[n_pass - 1]
        for table, n_rows in tape.rows.items():
            rows[table] += n_rows * n_pass // tape.n_messages
    seconds = (time.monotonic_ns() - start_mono_ns) / 1e9
    return LoadReport(
        n_sent, n_bytes, seconds, peer.blocked_ns / 1e9, start_ns, latest_ns / 1e3, rows
    )


def _send_on_time(
    peer: Peer, rate: float, view: memoryview, ends: list[int], n_before: int, start_ns: int
) -> int:
    """Send one pass, each message when it is due; the worst lateness in ns."""
    sent = position = latest_ns = 0
    while sent < len(ends) and not peer.is_closed:
        now_ns = time.monotonic_ns() - start_ns
        n_due = min(int(now_ns * rate / 1e9) + 1 - n_before, len(ends))
        if n_due <= sent:
            peer.answer()
            next_s = (n_before + sent) / rate - (time.monotonic_ns() - start_ns) / 1e9
            if next_s > _IDLE_S:
                time.sleep(next_s - _IDLE_S / 2)
            continue
        peer.send(view[position : ends[n_due - 1]])
        latest_ns = max(latest_ns, now_ns - int((n_before + sent) * 1e9 / rate))
        sent, position = n_due, ends[n_due - 1]
    return latest_ns


class LoadServer:
    """A load generator in its own process; a context manager.

    Parameters
    ----------
    spec
        What it sends to the first client that connects.
    """

    def __init__(self, spec: LoadSpec) -> None:
        if spec.mix not in MIXES:
            raise TickwireError(f"no mix {spec.mix}; allowed: {', '.join(MIXES)}")
        if spec.stamp and not spec.rate:
            raise TickwireError("a stamp is the time when a message is due: give a rate")
        self.spec = spec
        self.url = ""
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> LoadServer:
        # Not forked: the parent may have threads and an event loop.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self.spec, theirs), daemon=True)
        self._process.start()
        theirs.close()
        scheme = "wss" if self.spec.tls_folder else "ws"
        self.url = f"{scheme}://127.0.0.1:{self._pipe.recv()}/ws"
        return self

    def is_done(self) -> bool:
        """Whether a report is waiting."""
        return self._pipe is not None and self._pipe.poll()

    def report(self, timeout_s: float = 60.0) -> LoadReport:
        """Wait until all is sent; what was sent.

        Raises
        ------
        TickwireError
            Where the generator failed or did not finish in time.
        """
        if self._pipe is None or not self._pipe.poll(timeout_s):
            raise TickwireError(f"the load generator did not finish within {timeout_s:g} s")
        try:
            result = self._pipe.recv()
        except EOFError:
            raise TickwireError("the load generator ended before it was done") from None
        if isinstance(result, LoadReport):
            return result
        raise TickwireError(str(result))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()


def _serve(spec: LoadSpec, pipe: Connection) -> None:
    tape = spec.record()
    host = "127.0.0.1"
    context = server_context(host, Path(spec.tls_folder))[0] if spec.tls_folder else None
    with socket.create_server((host, 0)) as listener:
        pipe.send(listener.getsockname()[1])
        connected, _ = listener.accept()
        if context is not None:
            connected = context.wrap_socket(connected, server_side=True)
        with connected:
            peer = Peer(connected)
            try:
                peer.shake_hands()
                pipe.send(send_load(peer, spec, tape))
            except TickwireError as error:
                pipe.send(str(error))
            if spec.hang_up:
                peer.hang_up()
            # The client still reads; it ends the connection.
            while not peer.is_closed:
                peer.answer(1.0)


def measure_ceiling(spec: LoadSpec) -> LoadReport:
    """Send the load to a reader that throws it away: what the sender alone can do."""
    with LoadServer(spec) as server:
        port = int(server.url.rsplit(":", 1)[1].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.sendall(
                b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                b"Sec-WebSocket-Version: 13\r\n\r\n" + b"\x81\x82\0\0\0\0{}" * spec.n_requests
            )
            reader.settimeout(0.05)
            buffer = bytearray(1 << 20)
            while not server.is_done():
                with suppress(TimeoutError):
                    reader.recv_into(buffer)
            return server.report()


def main(arguments: list[str] | None = None) -> int:
    """Print the sender's ceiling, or send one load to whoever connects."""
    parser = argparse.ArgumentParser(prog="python -m tickwire.sim.load", description=main.__doc__)
    parser.add_argument("--mix", choices=MIXES, default="trades")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--stamp", action="store_true")
    parser.add_argument("--requests", type=int, default=1)
    parser.add_argument("--ceiling", action="store_true")
    options = parser.parse_args(arguments)
    spec = LoadSpec(
        options.mix, options.messages, options.rate, options.stamp, n_requests=options.requests
    )
    if options.ceiling:
        report = measure_ceiling(spec)
    else:
        with LoadServer(spec) as server:
            print(f"ws={server.url}", flush=True)
            report = server.report(timeout_s=86_400.0)
    numbers = asdict(report) | {"messages_per_second": report.messages_per_second}
    print(json.dumps(numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
