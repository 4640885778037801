"""How long a silence of a stream may be: learned from those that it has had.

Rules of this file
------------------
- A limit is three times the longest silence of the last minutes, or more: of each stream of a part
  in a table, and in the last place of all of them together.
- Silences alone, without the pauses that companions had too, have limits of their own.
- In its first seconds a stream has shown little: there only a much longer silence is beyond doubt.
  A shorter one of a lively stream waits until the fifth look, and is measured by what it has shown
  until then.
- Of rows without a venue's time those that were only late come at a silence's end all at once, as
  TCP brings all that is behind a lost packet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tickwire.ring import Silence

Times = npt.NDArray[np.int64]

TIMES = 3
WINDOW_NS = 300_000_000_000  # what is older than two of these is forgotten
FEWEST_LEARNED = 5  # looks at a stream with rows, before its limit counts
# Before that a much longer silence is needed.
FEWEST_EARLY = 2
EARLY_TIMES = 8
EARLY_FLOOR_NS = 1_000_000_000
EARLY_ALONE_NS = 500_000_000  # while all its companions go on
FEWEST_ROWS = 100
LIVELY_ROWS = 60  # a look
USUAL_NS = WINDOW_NS // 2  # silent for longer than that in a window, a stream is like that
BURST_SHARE = 0.4  # of the rows to be expected: what comes at once, if it was late
FEWEST_BURST = 3
RATE_WEIGHT = 0.2  # of the newest look
NEVER = int(np.iinfo(np.int64).max)


@dataclass(slots=True)
class Longest:
    """The longest silences of the streams of one part in one table, by code; the last is all.

    `now` and `before` have two rows: silences, and silences alone.
    """

    now: Times = field(default_factory=lambda: np.zeros((2, 1), np.int64))
    before: Times = field(default_factory=lambda: np.zeros((2, 1), np.int64))
    n_learned: Times = field(default_factory=lambda: np.zeros(1, np.int64))
    n_rows: Times = field(default_factory=lambda: np.zeros(1, np.int64))
    found_ns: Times = field(default_factory=lambda: np.zeros(1, np.int64))
    is_new: npt.NDArray[np.bool_] = field(default_factory=lambda: np.ones(1, np.bool_))
    early: Times = field(default_factory=lambda: np.full((2, 1), NEVER))  # beyond: no need to wait
    per_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))  # rows, of late
    came_ns: Times = field(default_factory=lambda: np.zeros(1, np.int64))  # last look with rows
    window_ns: int = 0
    n_all: int = -1  # rows, when its limits were set

    def is_current(self, now_ns: int, n_all: int) -> bool:
        """Whether nothing has come to be learned, nor is to be forgotten."""
        return n_all == self.n_all and now_ns - self.window_ns < WINDOW_NS

    def grow(self, n: int) -> None:
        """Have a place for each code below n, and the one of all."""
        missing = n + 1 - self.now.shape[1]
        if missing > 0:
            for name in (
                "now",
                "before",
                "n_learned",
                "n_rows",
                "found_ns",
                "is_new",
                "early",
                "per_s",
                "came_ns",
            ):
                old = getattr(self, name)
                fill = {"is_new": True, "early": NEVER}.get(name, 0)
                more = np.full((*old.shape[:-1], missing), fill, old.dtype)
                parts = (old[..., :-1], more, old[..., -1:])
                setattr(self, name, np.concatenate(parts, axis=-1))

    def learn(self, now_ns: int, n_rows: Times, longest: Times, floor_ns: int) -> Times:
        """Note the longest silences of the last look; give the limits. Both have two rows."""
        if now_ns - self.window_ns >= WINDOW_NS:
            self.window_ns = now_ns
            self.before, self.now = self.now, np.zeros_like(self.now)
            self.found_ns[:] = 0
        self._learn_rates(now_ns, n_rows)
        self.n_learned += n_rows > self.n_rows
        self.n_rows = n_rows
        self.now = np.maximum(self.now, longest)
        longest = np.maximum(self.now, self.before)
        early_ns = np.maximum(floor_ns, [[EARLY_FLOOR_NS], [EARLY_ALONE_NS]])
        limits = np.where(
            self.n_learned >= FEWEST_LEARNED,
            np.maximum(TIMES * longest, floor_ns),
            np.maximum(EARLY_TIMES * longest, early_ns),
        )
        # Alone, it is longer than any silence, too: companions may be livelier than they were.
        limits[1] = np.maximum(limits[1], longest[0])
        knows = (self.n_learned >= FEWEST_EARLY) & (n_rows >= FEWEST_ROWS)
        # What has had few rows after so many looks is slow, and any silence may be usual.
        self.is_new = ~knows & (self.n_learned < FEWEST_LEARNED)
        limits = np.where(knows, limits, np.where(self.is_new, early_ns, NEVER))
        is_early = self.n_learned < FEWEST_LEARNED
        self.early = np.where(is_early & knows, limits, NEVER)
        waiting = is_early & (n_rows >= LIVELY_ROWS * np.maximum(self.n_learned, 1))
        limits[0] = np.where(
            waiting, np.minimum(limits[0], np.maximum(TIMES * longest[0], floor_ns)), limits[0]
        )
        return limits

    def _learn_rates(self, now_ns: int, n_rows: Times) -> None:
        # What is silent keeps its rate: that says how many rows had to come meanwhile.
        has_new = n_rows > self.n_rows
        per_s = (n_rows - self.n_rows) / np.maximum((now_ns - self.came_ns) / 1e9, 0.1)
        weight = np.where(self.per_s > 0, RATE_WEIGHT, 1.0)
        self.per_s += np.where(has_new & (self.came_ns > 0), weight * (per_s - self.per_s), 0.0)
        self.came_ns = np.where(has_new, now_ns, self.came_ns)

    def must_wait(self, silence: Silence) -> bool:
        """Whether a silence beyond the limit cannot be judged before more is known."""
        at = place_of(silence)
        if self.n_learned[at] >= FEWEST_LEARNED:
            return False
        return bool(
            silence.silent_ns <= self.early[0, at] and silence.alone_ns <= self.early[1, at]
        )

    def was_late(self, silence: Silence) -> bool:
        """Whether the rows that had to come in a silence came at its end all at once.

        Not where a venue's time says more, nor before it is known how many had to come.
        """
        per_s = self.per_s[place_of(silence)]
        if silence.to_event_ns is not None or not per_s:
            return False
        expected = per_s * silence.silent_ns / 1e9
        return bool(silence.n_burst >= max(FEWEST_BURST, BURST_SHARE * expected))

    def found(self, silence: Silence) -> None:
        """Note a silence beyond the limit, and learn it where the stream is mostly silent so."""
        at = place_of(silence)
        self.found_ns[at] += silence.silent_ns
        if self.found_ns[at] > USUAL_NS:
            self.learn_one(silence)

    def learn_one(self, silence: Silence) -> None:
        """Note a silence as a usual one."""
        self.n_all = -1  # its limits are to be set, though no row may come before
        at = place_of(silence)
        for row, ns in enumerate((silence.silent_ns, silence.alone_ns)):
            self.now[row, at] = max(int(self.now[row, at]), ns)

    def early_limit_ns(self, silence: Silence, other_ns: int, floor_ns: int) -> int | None:
        """Give what a silence is measured by that came before much was known; None: not yet.

        Parameters
        ----------
        silence
            Which.
        other_ns
            The longest of its stream that waits, too.
        floor_ns
            No shorter one is too long.
        """
        at = place_of(silence)
        if self.n_learned[at] < FEWEST_LEARNED:
            return None
        if self.n_rows[at] < FEWEST_ROWS:
            return NEVER
        longest = int(max(self.now[0, at], self.before[0, at], other_ns))
        is_lively = self.n_rows[at] >= LIVELY_ROWS * FEWEST_LEARNED
        return max(EARLY_TIMES * longest, floor_ns if is_lively else EARLY_FLOOR_NS)


def place_of(silence: Silence) -> int:
    """Give the place of the stream of a silence; the last one: of all together."""
    return -1 if silence.code is None else silence.code
