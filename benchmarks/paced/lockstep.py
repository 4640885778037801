"""A sender that waits for its receiver: each message leaves when the one before has been used.

Rules of this file
------------------
- A receiver has used a message once it has slept since, and sleeps in its loop's poll. So every
  message is a read and a wake of its own, however busy the machine is.
- The receiver is a process of this machine; Linux says how it sleeps.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tickwire.bench.open_loop import StretchReport
from tickwire.bench.raw_server import RawConnection
from tickwire.bench.schedule import Stretch, TradeLoad
from tickwire.errors import TickwireError

SLEEP_S = 100e-6  # between two looks at a receiver that is not done
ANSWER_NS = 100_000_000  # pings of the receiver are answered so often
USED_S = 60.0  # a message that takes longer is an error
IDS_RATE = 1e9  # ids of messages are a ns apart: nothing is due


class LockstepServer:
    """The sender, in this process; a context manager.

    Parameters
    ----------
    load
        What it sends to its one receiver.
    """

    def __init__(self, load: TradeLoad) -> None:
        self._frames = load.open()
        self._n_requests = load.n_requests
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._receiver: RawConnection | None = None
        self._connected: socket.socket | None = None
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/ws"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._connected, self._listener):
            if each is not None:
                each.close()

    def accept(self, timeout_s: float) -> None:
        """Take the receiver and its requests."""
        self._listener.settimeout(timeout_s)
        try:
            self._connected, _ = self._listener.accept()
        except TimeoutError:
            raise TickwireError(f"no receiver came within {timeout_s:g} s") from None
        receiver = self._receiver = RawConnection(self._connected)
        receiver.shake_hands()
        until_s = time.monotonic() + timeout_s
        while receiver.n_requests < self._n_requests:
            receiver.answer(0.1)
            if receiver.is_closed or time.monotonic() > until_s:
                raise TickwireError("the receiver did not subscribe")

    def send(self, n_messages: int, pid: int, pause_s: float = 0.0) -> StretchReport:
        """Send a stretch.

        Parameters
        ----------
        n_messages
            Of it.
        pid
            The receiver's process.
        pause_s
            From when a message has been used to the next one.

        Raises
        ------
        TickwireError
            Where the receiver has left, or a message is not used.
        """
        receiver, sleep = self._receiver, _Sleep(pid)
        if receiver is None:
            raise TickwireError("there is no receiver")
        wall_ns = time.time_ns()
        began_ns = answered_ns = time.monotonic_ns()
        n_bytes, due = 0, []
        for block in self._frames.passes(Stretch(n_messages, IDS_RATE), wall_ns):
            view, start = memoryview(block.lanes[0]), 0
            due.append(block.due_ns)
            for end in block.ends:
                if time.monotonic_ns() - answered_ns > ANSWER_NS:
                    receiver.answer()
                    answered_ns = time.monotonic_ns()
                sleep.wait()
                receiver.send(view[start:end])
                if receiver.is_closed:
                    raise TickwireError("the receiver left")
                start = end
                sleep.wait_for_next()
                if pause_s:
                    time.sleep(pause_s)
            n_bytes += block.n_bytes
        due_ns = np.concatenate(due)
        seconds = (time.monotonic_ns() - began_ns) / 1e9
        return StretchReport(wall_ns, due_ns, np.zeros_like(due_ns), n_bytes, seconds, 0.0)


class _Sleep:
    """Whether a process sleeps in a poll, by what Linux says of it."""

    def __init__(self, pid: int) -> None:
        self._place = Path(f"/proc/{pid}/wchan")
        self._status = Path(f"/proc/{pid}/status")
        self._n_sleeps = 0

    def wait(self) -> None:
        """Wait until it sleeps."""
        self._wait(-1)

    def wait_for_next(self) -> None:
        """Wait until it has woken since the last wait, and sleeps again."""
        self._wait(self._n_sleeps)

    def _wait(self, n_before: int) -> None:
        until_s = time.monotonic() + USED_S
        while True:
            try:
                if "poll" in self._place.read_text():
                    self._n_sleeps = self._count()
                    if self._n_sleeps > n_before:
                        return
            except OSError:
                raise TickwireError("the receiver ended") from None
            if time.monotonic() > until_s:
                raise TickwireError(f"the receiver did not use a message in {USED_S:g} s")
            time.sleep(SLEEP_S)

    def _count(self) -> int:
        _, _, rest = self._status.read_text().partition("\nvoluntary_ctxt_switches:")
        return int(rest.split(maxsplit=1)[0])
