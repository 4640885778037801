"""The load generator: a tape over one socket, plain or TLS, from a process of its own.

Rules of this file
------------------
- One client, blocking sockets with a poll where it matters, no event loop: the sender must cost
  less than whatever it measures. `measure_ceiling` says how fast it is into a reader that only
  throws bytes away.
- It sends as fast as the client takes it; `tickwire.bench.open_loop` keeps a schedule.
- The client may be any WebSocket client. It sends its requests, each gets a subscriptionResponse,
  and after `n_requests` of them the load starts. Pings are answered between batches.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from tickwire.bench.raw_server import RawConnection
from tickwire.bench.sender import LoadReport, SenderProcess
from tickwire.bench.tape import MIXES, Mix, Tape, record
from tickwire.errors import TickwireError
from tickwire.sim.authority import server_context
from tickwire.sim.frames import text_frame

# What the package websockets asks for; a server may choose it whatever the client offers.
DEFLATE_WINDOW_BITS = 12
DEFLATE_ANSWER = b"permessage-deflate; server_max_window_bits=%d" % DEFLATE_WINDOW_BITS


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What to send.

    Parameters
    ----------
    mix
        `trades`, `bbo`, `book` or `mix`.
    n_messages
        In all.
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
    coins
        Instead of `coin`: several.
    n_connections
        More than one for `FleetServer`; each gets its share of the coins.
    deflated
        A file that `deflate_load` wrote: permessage-deflate, RFC 7692. Not for `FleetServer`.
    rate
        Messages per second over all connections, evenly spaced, each in a write of its own; 0: as
        fast as they are taken. For `FleetServer` alone, whose tapes do not repeat then.
    """

    mix: Mix = "trades"
    n_messages: int = 1_000_000
    tape_messages: int = 10_000
    n_requests: int = 1
    coin: str = "BTC"
    seed: int = 0
    hang_up: bool = False
    tls_folder: str = ""
    coins: tuple[str, ...] = ()
    n_connections: int = 1
    deflated: str = ""
    rate: float = 0.0

    def record(self) -> Tape:
        """Build the tape; passes are `n_messages` long, the last one possibly shorter."""
        n_messages = min(self.tape_messages, self.n_messages)
        return record(
            self.mix,
            n_messages,
            coin=self.coin,
            coins=self.coins,
            seed=self.seed,
        )

    def parts(self) -> tuple[LoadSpec, ...]:
        """Give what each connection gets; counts and coins are whole multiples of connections."""
        n_parts = self.n_connections
        coins = self.coins or (self.coin,)
        counts = (len(coins), self.n_messages, self.tape_messages)
        if n_parts == 1:
            return (self,)
        if any(count % n_parts for count in counts):
            raise TickwireError(f"coins and messages cannot be shared by {n_parts} connections")
        n_coins, n_messages, n_tape = (count // n_parts for count in counts)
        return tuple(
            replace(
                self,
                n_messages=n_messages,
                tape_messages=n_tape,
                coins=coins[part * n_coins : (part + 1) * n_coins],
                seed=self.seed + part,
                n_connections=1,
            )
            for part in range(n_parts)
        )


def send_load(client: RawConnection, spec: LoadSpec, tape: Tape) -> LoadReport:
    """Send the whole load over a connection whose handshake is done."""
    wait_for_requests(client, spec.n_requests)
    if spec.deflated:
        return _send_deflated(client, spec, tape)
    view = memoryview(tape.data)
    ends = tape.ends.tolist()
    rows = dict.fromkeys(tape.rows, 0)
    start_ns, start_mono_ns = time.time_ns(), time.monotonic_ns()
    n_sent = n_bytes = 0
    while n_sent < spec.n_messages and not client.is_closed:
        n_pass = min(tape.n_messages, spec.n_messages - n_sent)
        tape.number(n_sent)
        client.send(view[: ends[n_pass - 1]])
        client.answer()
        n_sent += n_pass
        n_bytes += ends[n_pass - 1]
        for table, n_rows in tape.rows.items():
            rows[table] += n_rows * n_pass // tape.n_messages
    seconds = (time.monotonic_ns() - start_mono_ns) / 1e9
    return LoadReport(n_sent, n_bytes, seconds, client.blocked_ns / 1e9, start_ns, rows)


def wait_for_requests(client: RawConnection, n_requests: int) -> None:
    """Answer the client until it has sent so many requests."""
    while client.n_requests < n_requests and not client.is_closed:
        client.answer(0.1)


def _send_deflated(client: RawConnection, spec: LoadSpec, tape: Tape) -> LoadReport:
    """Send what was compressed before, in one go: its messages refer to each other."""
    data = Path(spec.deflated).read_bytes()
    start_ns, start_mono_ns = time.time_ns(), time.monotonic_ns()
    client.send(data)
    seconds = (time.monotonic_ns() - start_mono_ns) / 1e9
    n_passes = spec.n_messages // tape.n_messages
    return LoadReport(
        spec.n_messages,
        len(data),
        seconds,
        client.blocked_ns / 1e9,
        start_ns,
        {table: n_rows * n_passes for table, n_rows in tape.rows.items()},
    )


def deflate_load(spec: LoadSpec, path: Path) -> None:
    """Compress a load, ids included, as a server does that keeps its context; RFC 7692 section 7.

    Parameters
    ----------
    spec
        A whole number of passes of its tape.
    path
        The file to write; `replace(spec, deflated=str(path))` then sends it.
    """
    deflater = zlib.compressobj(wbits=-DEFLATE_WINDOW_BITS)
    tape = spec.record()
    with path.open("wb") as file:
        for first_message in range(0, spec.n_messages, tape.n_messages):
            tape.number(first_message)
            for payload in tape.payloads():
                data = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
                # Section 7.2.1: without the empty block's last four bytes; RSV1 says so.
                frame = bytearray(text_frame(data[:-4]))
                frame[0] |= 0x40
                file.write(frame)


class LoadServer(SenderProcess):
    """A load generator in its own process; a context manager.

    Parameters
    ----------
    spec
        What it sends to the first client that connects.
    target
        What runs there.

    Attributes
    ----------
    url
        Where to connect, inside the block.
    """

    def __init__(self, spec: LoadSpec, target: Callable[..., None] | None = None) -> None:
        if spec.mix not in MIXES:
            raise TickwireError(f"no mix {spec.mix}; allowed: {', '.join(MIXES)}")
        super().__init__(target or _serve, spec)
        self.spec = spec
        self.url = ""

    def __enter__(self) -> Self:
        super().__enter__()
        scheme = "wss" if self.spec.tls_folder else "ws"
        self.url = f"{scheme}://127.0.0.1:{self.address}/ws"
        return self


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
            client = RawConnection(connected)
            try:
                client.shake_hands(DEFLATE_ANSWER if spec.deflated else b"")
                pipe.send(send_load(client, spec, tape))
            except TickwireError as error:
                pipe.send(str(error))
            if spec.hang_up:
                client.hang_up()
            # The client still reads; it ends the connection.
            while not client.is_closed:
                client.answer(1.0)


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
    """Print what the sender alone can do on this machine: its ceiling."""
    parser = argparse.ArgumentParser(prog="python -m tickwire.bench.load", description=main.__doc__)
    parser.add_argument("--mix", choices=MIXES, default="trades")
    parser.add_argument("--messages", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    report = measure_ceiling(LoadSpec(options.mix, options.messages))
    numbers = asdict(report) | {"messages_per_second": report.messages_per_second}
    print(json.dumps(numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
