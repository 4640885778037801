"""A capture on its own schedule, as it was or faster, for the open-loop sender.

Rules of this file
------------------
- Each connection of the capture is one of the sender's, in the order of their numbers.
- Messages are due as far apart as they were received, divided by the speed: the bursts are those of
  the market. Two connections of a capture never go back in time, nor does one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np

from tickwire.bench.schedule import Ns, Pass, Stretch
from tickwire.capture import Capture
from tickwire.errors import TickwireError
from tickwire.sim.frames import text_frame


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """The beginning of a capture.

    Parameters
    ----------
    path
        Of the capture; it has times.
    connections
        The numbers of its connections that are sent, one for each of the sender's.
    seconds
        How much of it, by its own times.
    speed
        1.0 is its own pace, 10.0 ten times that.
    """

    path: Path
    connections: tuple[int, ...]
    seconds: float
    speed: float

    @property
    def n_lanes(self) -> int:
        """One per connection."""
        return len(self.connections)

    @property
    def n_requests(self) -> int:
        """The subscribe request of each client."""
        return 1

    def open(self) -> RecordedFrames:
        """Read the capture and build the frames.

        Raises
        ------
        TickwireError
            The capture has no times, or nothing of these connections.
        """
        return RecordedFrames(self)


class RecordedFrames:
    """The frames of a `RecordedLoad`, all made before the first is sent.

    Parameters
    ----------
    load
        What to read.

    Attributes
    ----------
    payloads
        The messages, in order.
    lane_of
        shape (n,), int64: the connection of each, counted from 0.
    ends
        shape (n,), int64: where its frame ends among those of its connection.
    due_ns
        shape (n,), int64, ns after the start.
    """

    def __init__(self, load: RecordedLoad) -> None:
        capture = Capture.open(load.path)
        if not capture.has_times:
            raise TickwireError(f"{load.path} has no times")
        place = {number: lane for lane, number in enumerate(load.connections)}
        messages = (one for one in capture.messages() if one.connection in place)
        first = next(messages, None)
        if first is None:
            raise TickwireError(f"{load.path} has nothing of connections {load.connections}")
        stop_ns = first.recv_ns + load.seconds * 1e9
        self.payloads = [first.payload]
        lane_of, recv_ns = [place[first.connection]], [first.recv_ns]
        for one in takewhile(lambda one: one.recv_ns < stop_ns, messages):
            self.payloads.append(one.payload)
            lane_of.append(place[one.connection])
            recv_ns.append(one.recv_ns)
        self._lanes = [bytearray() for _ in load.connections]
        ends = []
        for lane, payload in zip(lane_of, self.payloads, strict=True):
            self._lanes[lane] += text_frame(payload)
            ends.append(len(self._lanes[lane]))
        since_ns = np.maximum.accumulate(np.array(recv_ns, np.int64)) - recv_ns[0]
        self.due_ns: Ns = (since_ns / load.speed).astype(np.int64)
        self.lane_of = np.array(lane_of, np.int64)
        self.ends = np.array(ends, np.int64)

    @property
    def n_messages(self) -> int:
        """How many there are."""
        return len(self.payloads)

    def passes(self, stretch: Stretch, _start_ns: int) -> Iterator[Pass]:
        """Give all of it, once; the stretch says how many messages that is."""
        if stretch.n_messages != self.n_messages:
            raise TickwireError(f"{stretch.n_messages} messages asked for of {self.n_messages}")
        yield Pass(self._lanes, self.ends.tolist(), self.due_ns, self.lane_of.tolist())
