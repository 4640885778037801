"""A tape of what was recorded, for the load generator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from tickwire.bench.load import LoadSpec
from tickwire.bench.tape import Tape
from tickwire.capture import Capture
from tickwire.errors import TickwireError
from tickwire.sim.frames import text_frame


@dataclass(frozen=True, slots=True)
class CaptureSpec(LoadSpec):
    """What to send, recorded. Not for `FleetServer`.

    Parameters
    ----------
    capture
        The path of a capture: its first `tape_messages` messages are sent instead of made ones of
        that mix, which says what they are.
    """

    capture: str = ""

    def record(self) -> Tape:
        """Build the tape."""
        return transcribe(self.capture, min(self.tape_messages, self.n_messages))


def transcribe(path: str | Path, n_messages: int) -> Tape:
    """Build a tape of what was recorded, to be sent over and over as it is.

    Parameters
    ----------
    path
        Of a capture. Nothing in it is numbered: no message has an id that may come only once.
    n_messages
        From its beginning, over all connections.

    Returns
    -------
    Tape
        It does not know its rows.

    Raises
    ------
    TickwireError
        The capture cannot be read, or has fewer messages.
    """
    data = bytearray()
    ends, headers = [], []
    for message in islice(Capture.open(path).messages(), n_messages):
        frame = text_frame(message.payload)
        headers.append(len(frame) - len(message.payload))
        data += frame
        ends.append(len(data))
    if len(ends) < n_messages:
        raise TickwireError(f"{path} has {len(ends)} messages, not {n_messages}")
    none = np.empty(0, np.int64)
    return Tape(data, np.array(ends, np.int64), np.array(headers, np.int64), none, none, 0, {})
