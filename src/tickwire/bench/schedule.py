"""What is due when: frames on a schedule, for the open-loop sender.

Rules of this file
------------------
- A schedule is fixed before it starts. Due times are ns after its start.
- A trade's id is the wall clock's time in ns at which it was due, so that arrivals can be matched;
  ids go up from stretch to stretch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tickwire.bench.tape import Tape, record

Ns = NDArray[np.int64]


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
class Pass:
    """A block of frames that is ready to be sent.

    Parameters
    ----------
    lanes
        The frames of each connection, one behind the other.
    ends
        Where each frame ends among those of its connection.
    due_ns
        shape (n,), int64, ns after the start of the schedule, ascending.
    lane_of
        The connection of each frame; None: all go to the first.
    """

    lanes: Sequence[bytearray | bytes]
    ends: list[int]
    due_ns: Ns
    lane_of: list[int] | None = None

    @property
    def n_bytes(self) -> int:
        """Of its frames; they need not be all of what lies in `lanes`."""
        if self.lane_of is None:
            return self.ends[-1]
        return sum(dict(zip(self.lane_of, self.ends, strict=True)).values())


class Frames(Protocol):
    """What is sent, stretch after stretch."""

    def passes(self, stretch: Stretch, start_ns: int) -> Iterator[Pass]:
        """Give the next messages, a pass at a time; a pass is used up before the next is made."""


class Load(Protocol):
    """What a sender is to send; it travels to its process, so it is small."""

    @property
    def n_lanes(self) -> int:
        """How many connections there are."""

    @property
    def n_requests(self) -> int:
        """How many requests a client sends before it is ready."""

    def open(self) -> Frames:
        """Build the frames, in the sender's process."""


@dataclass(frozen=True, slots=True)
class TradeLoad:
    """Hyperliquid trades, one per message, all of the same length.

    Parameters
    ----------
    n_different
        Messages before the same prices and sizes come again.
    n_repeats
        How often they do in one pass. Ids are written for a whole pass before it begins: a stretch
        of one pass is sent without a pause, between passes there is a short one.
    coin
        Of every message.
    seed
        Of prices and sizes.
    """

    n_different: int = 1000
    n_repeats: int = 1
    coin: str = "BTC"
    seed: int = 0

    @property
    def n_lanes(self) -> int:
        """One connection."""
        return 1

    @property
    def n_requests(self) -> int:
        """The subscribe request."""
        return 1

    def record(self) -> Tape:
        """Build the messages of a pass; only their ids differ from pass to pass."""
        tape = record("trades", self.n_different, stamp=True, coin=self.coin, seed=self.seed)
        return tape.repeat(self.n_repeats)

    def open(self) -> TradeFrames:
        """Build the frames."""
        return TradeFrames(self.record())


class TradeFrames:
    """The frames of a `TradeLoad`.

    Parameters
    ----------
    tape
        One pass of them.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._ends = tape.ends.tolist()

    def passes(self, stretch: Stretch, start_ns: int) -> Iterator[Pass]:
        """Give the next messages, each with the time at which it is due as its id."""
        # Without a rate nothing is due: ids are a ns apart, so that they are still unique.
        rate = stretch.rate or 1e9
        for first in range(0, stretch.n_messages, self._tape.n_messages):
            n_messages = min(self._tape.n_messages, stretch.n_messages - first)
            self._tape.stamp(start_ns, first, rate)
            yield Pass(
                (self._tape.data,), self._ends[:n_messages], due_times(first, n_messages, rate)
            )


def due_times(first: int, n_messages: int, rate: float) -> Ns:
    """Give when evenly spaced messages are due; shape (n,), int64, ns after the start."""
    return (np.arange(first, first + n_messages) * (1e9 / rate)).astype(np.int64)
