"""A capture replayed at full speed: all its connections from one process, and its REST.

Rules of this file
------------------
- Each connection of the capture has a port of its own: that says which one a client is.
- All frames are made before the first is sent, once for all by a caller that plays a capture often
  (`write_frames`). What is sent is what was recorded, once.
- Books need their snapshots, which come from the REST answers recorded beside the capture. So that
  they arrive before most of the deltas, sending waits for that once, near the start.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.captures.snapshots import SnapshotServer

from tickwire.bench.fleet import HOST, finish, send_in_turns
from tickwire.bench.load import wait_for_requests
from tickwire.bench.raw_server import RawConnection
from tickwire.bench.sender import LoadReport, SenderProcess
from tickwire.capture import Capture
from tickwire.errors import TickwireError
from tickwire.sim.frames import text_frame

PAUSE_S = 0.1
SNAPSHOT_TIMEOUT_S = 30.0
PARTS = ("before", "after")


@dataclass(frozen=True, slots=True)
class FullSpeedSpec:
    """What to send.

    Parameters
    ----------
    path
        Of the capture.
    n_messages
        From its beginning, over all connections.
    n_before_pause
        How many of them before the pause.
    n_snapshots
        How many requests for snapshots to wait for in the pause.
    hang_up
        End the connections once all is sent; otherwise the clients do.
    frames
        The folder that `write_frames` filled for this path and these numbers; empty: none did.
    """

    path: str
    n_messages: int
    n_before_pause: int = 0
    n_snapshots: int = 0
    hang_up: bool = False
    frames: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to connect.

    Parameters
    ----------
    ports
        Of each connection of the capture, by its number.
    rest_port
        For snapshots.
    n_bytes
        Of all frames.
    """

    ports: dict[int, int]
    rest_port: int
    n_bytes: int


class FullSpeedServer(SenderProcess):
    """Sends a capture once every one of its connections is there; a context manager."""

    def __init__(self, spec: FullSpeedSpec) -> None:
        super().__init__(_serve, spec)
        self.spec = spec

    def url_of(self, connection: int) -> str:
        """Give the WebSocket URL of a connection of the capture."""
        return f"ws://{HOST}:{self.address.ports[connection]}"

    @property
    def rest_url(self) -> str:
        """Where snapshots are."""
        return f"http://{HOST}:{self.address.rest_port}"


def frames_of(spec: FullSpeedSpec) -> dict[int, tuple[bytes, bytes]]:
    """Give each connection's frames, those before the pause and those after it."""
    if spec.frames:
        folders = Path(spec.frames).iterdir()
        return {int(each.name): _read_frames(each) for each in sorted(folders)}
    frames: dict[int, tuple[bytearray, bytearray]] = {}
    messages = Capture.open(spec.path).messages()
    for number, message in enumerate(islice(messages, spec.n_messages)):
        own = frames.setdefault(message.connection, (bytearray(), bytearray()))
        own[number >= spec.n_before_pause].extend(text_frame(message.payload))
    return {
        connection: (bytes(before), bytes(after)) for connection, (before, after) in frames.items()
    }


def write_frames(spec: FullSpeedSpec, folder: Path) -> None:
    """Make the frames and write them into a new folder, one folder in it per connection."""
    for connection, own in frames_of(spec).items():
        place = folder / str(connection)
        place.mkdir(parents=True)
        for name, data in zip(PARTS, own, strict=True):
            (place / name).write_bytes(data)


def _read_frames(place: Path) -> tuple[bytes, bytes]:
    before, after = ((place / name).read_bytes() for name in PARTS)
    return before, after


def _serve(spec: FullSpeedSpec, pipe: Connection) -> None:
    frames = frames_of(spec)
    listeners = {connection: socket.create_server((HOST, 0)) for connection in sorted(frames)}
    rest = SnapshotServer(spec.path)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    ports = {connection: one.getsockname()[1] for connection, one in listeners.items()}
    n_bytes = sum(len(before) + len(after) for before, after in frames.values())
    pipe.send(Addresses(ports, rest.server_address[1], n_bytes))
    clients = []
    try:
        for listener in listeners.values():
            clients.append(RawConnection(listener.accept()[0]))
            clients[-1].shake_hands()
        for client in clients:
            wait_for_requests(client, 1)
        pipe.send(_send(spec, clients, [frames[connection] for connection in listeners], rest))
    except TickwireError as error:
        pipe.send(str(error))
    finish(clients, hang_up=spec.hang_up)


def _pause(spec: FullSpeedSpec, rest: SnapshotServer) -> None:
    """Wait until the snapshots have been fetched, and a little for what the client does then."""
    deadline = time.monotonic() + SNAPSHOT_TIMEOUT_S
    while rest.n_answered < spec.n_snapshots:
        if time.monotonic() > deadline:
            raise TickwireError(f"{rest.n_answered} of {spec.n_snapshots} snapshots were fetched")
        time.sleep(PAUSE_S)
    time.sleep(PAUSE_S)


def _send(
    spec: FullSpeedSpec,
    clients: list[RawConnection],
    frames: list[tuple[bytes, bytes]],
    rest: SnapshotServer,
) -> LoadReport:
    """Send everything; the times reported are those after the pause."""
    send_in_turns(clients, [iter([memoryview(before)]) for before, _ in frames])
    _pause(spec, rest)
    start_ns, start_mono_ns = time.time_ns(), time.monotonic_ns()
    blocked_s = send_in_turns(clients, [iter([memoryview(after)]) for _, after in frames])
    seconds = (time.monotonic_ns() - start_mono_ns) / 1e9
    n_bytes = sum(len(own[0]) + len(own[1]) for own in frames)
    return LoadReport(spec.n_messages, n_bytes, seconds, blocked_s, start_ns, {})
