"""Whether streams that were acknowledged still deliver: decided from times, without any I/O.

Rules of this file
------------------
- A stream is expected to have a row within its cadence: what the venue declares, or what was
  learned, the longest silence between rows of the last minutes. `DECLARED_TIMES` or `LEARNED_TIMES`
  as long, and never less than the floor, is too long.
- Too long a silence has consequences, one after the other while it lasts: ask for the stream again,
  reconnect, go to the next endpoint where there is one, alert. After an alert it is asked for again
  from time to time. A row ends the silence.
- An acknowledgement after rows is doubted sooner, whatever the floor: `DOUBT` asks for nothing, and
  says that rows may be missing since.
- A stream that never had a row, and whose cadence is not declared, is only named: it may be quiet.
- A silence counts from the last row or the acknowledgement, whichever is later, and not while
  nothing could be read (`hold`).
- Streams are numbers here, times are ns of the monotonic clock. All streams are looked at together,
  in arrays.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]

LEARNED_TIMES = 10
DECLARED_TIMES = 3
FEWEST_LEARNED = 3  # silences, before what was learned counts
WINDOW_NS = 600_000_000_000  # what is older than two of these is forgotten
FIRST_RETRY_NS = 600_000_000_000  # from an alert to the next request
LONGEST_RETRY_NS = 3_600_000_000_000
_NEVER = np.iinfo(np.int64).max


class Step(Enum):
    """What a silence leads to."""

    NAME = "no message"
    DOUBT = "nothing since it was acknowledged"
    RESUBSCRIBE = "resubscribe"
    RECONNECT = "reconnect"
    NEXT_ENDPOINT = "next endpoint"
    ALERT = "alert"
    RECOVERED = "recovered"


class Freshness:
    """Watches the streams of one session.

    Parameters
    ----------
    declared_s
        The cadence of each stream as its venue declares it; 0 where it does not.
    floor_s
        No shorter silence is too long.
    first_s
        How long a stream may take for its first row before it is named.
    n_endpoints
        How many there are to go to.
    """

    def __init__(
        self, declared_s: list[float], *, floor_s: float, first_s: float, n_endpoints: int = 1
    ) -> None:
        n = len(declared_s)
        self._floor_ns = round(floor_s * 1e9)
        self._first_ns = round(first_s * 1e9)
        self._steps = [Step.RESUBSCRIBE, Step.RECONNECT, Step.NEXT_ENDPOINT, Step.ALERT]
        if n_endpoints < 2:
            self._steps.remove(Step.NEXT_ENDPOINT)
        declared = np.array([round(each * 1e9) for each in declared_s], np.int64)
        allowed = np.maximum(DECLARED_TIMES * declared, self._floor_ns)
        self._declared = np.where(declared > 0, allowed, _NEVER)
        self._last = np.zeros(n, np.int64)  # row; 0: none yet
        self._acknowledged = np.zeros(n, np.int64)  # 0: not on this connection
        self._acted = np.zeros(n, np.int64)  # when a step was last taken
        self._longest = np.zeros((2, n), np.int64)  # silence, of this window and of the one before
        self._n_learned = np.zeros(n, np.int64)
        self._n_steps = np.zeros(n, np.int64)  # taken in the present silence
        self._n_alerts = np.zeros(n, np.int64)
        self._is_named = np.zeros(n, bool)
        self._doubted = np.zeros(n, np.int64)  # the acknowledgement that is doubted
        self._held_ns = 0
        self._window_ns = 0

    def acknowledged(self, number: int, now_ns: int) -> None:
        """Note that rows of a stream are to be expected from now on."""
        self._acknowledged[number] = now_ns

    def ended(self, number: int) -> None:
        """Note that no rows are to be expected: disconnected, refused, asked for again."""
        self._acknowledged[number] = 0

    def wait(self, number: int, now_ns: int) -> None:
        """Note that until now a stream could have no rows, though it may be well."""
        if self._acknowledged[number]:
            self._acknowledged[number] = self._doubted[number] = now_ns

    def hold(self, now_ns: int) -> None:
        """Note that nothing could be read until now."""
        self._held_ns = now_ns

    @property
    def silent(self) -> list[int]:
        """The streams that were named and still have no row."""
        found: list[int] = np.flatnonzero(self._is_named & (self._last == 0)).tolist()
        return found

    @property
    def stale(self) -> list[int]:
        """The streams whose silence is too long."""
        found: list[int] = np.flatnonzero(self._n_steps > 0).tolist()
        return found

    def threshold_s(self, number: int) -> float | None:
        """Give how long a silence of a stream may be; None where that is not known."""
        found = int(self._thresholds()[number])
        return None if found == _NEVER else found / 1e9

    def silence_s(self, number: int, now_ns: int) -> float:
        """Give how long a stream has been silent."""
        return (now_ns - int(self._since()[number])) / 1e9

    def look(self, now_ns: int, last_ns: Times) -> list[tuple[int, Step]]:
        """Give what is to be done.

        Parameters
        ----------
        now_ns
            The time.
        last_ns
            When the last row of each stream was read, shape (n,); 0 where none was.

        Returns
        -------
        list of (int, Step)
            Streams with the steps to take; they count as taken.
        """
        found = self._learn(now_ns, last_ns)
        since = self._since()
        silence = np.where(self._acknowledged > 0, now_ns - since, 0)
        unnamed = (self._last == 0) & ~self._is_named & (silence >= self._first_ns)
        for number in np.flatnonzero(unnamed).tolist():
            self._is_named[number] = True
            found.append((number, Step.NAME))
        learned = self._learned()
        doubtful = (
            (self._acknowledged > self._last)
            & (self._acknowledged > self._doubted)
            & (self._last > 0)
            & (silence >= learned)
        )
        for number in np.flatnonzero(doubtful).tolist():
            self._doubted[number] = self._acknowledged[number]
            found.append((number, Step.DOUBT))
        since_acted = now_ns - np.maximum(since, self._acted)
        too_long = (silence > 0) & (since_acted >= self._waits())
        for number in np.flatnonzero(too_long).tolist():
            found.append((number, self._next_step(number)))
            self._acted[number] = now_ns
        return found

    def _learn(self, now_ns: int, last_ns: Times) -> list[tuple[int, Step]]:
        """Note new rows: how long the silence before each was, and which have ended one."""
        if now_ns - self._window_ns >= WINDOW_NS:
            self._window_ns = now_ns
            self._longest[1] = self._longest[0]
            self._longest[0] = 0
        has_new = last_ns > self._last
        has_gap = has_new & (self._last > 0)
        gaps = last_ns - self._since()
        self._longest[0] = np.where(has_gap, np.maximum(self._longest[0], gaps), self._longest[0])
        self._n_learned += has_gap
        recovered = np.flatnonzero(has_new & (self._n_steps > 0)).tolist()
        self._n_steps[has_new] = 0
        self._n_alerts[has_new] = 0
        self._last = np.maximum(self._last, last_ns)
        return [(number, Step.RECOVERED) for number in recovered]

    def _since(self) -> Times:
        """Give when each silence began."""
        return np.maximum(np.maximum(self._last, self._acknowledged), self._held_ns)

    def _learned(self) -> Times:
        """Give how long a silence may be by what was learned alone."""
        longest = self._longest.max(axis=0)
        is_learned = (self._n_learned >= FEWEST_LEARNED) & (longest > 0)
        return np.where(is_learned, LEARNED_TIMES * longest, _NEVER)

    def _thresholds(self) -> Times:
        return np.minimum(np.maximum(self._learned(), self._floor_ns), self._declared)

    def _waits(self) -> Times:
        """Give how long each silence may go on before the next step."""
        retry = FIRST_RETRY_NS * 2 ** np.minimum(np.maximum(self._n_alerts - 1, 0), 20)
        is_alerted = self._n_steps >= len(self._steps)
        return np.where(is_alerted, np.minimum(retry, LONGEST_RETRY_NS), self._thresholds())

    def _next_step(self, number: int) -> Step:
        taken = int(self._n_steps[number])
        if taken >= len(self._steps):
            self._n_alerts[number] += 1
            return Step.RESUBSCRIBE  # once more; the alert stands
        self._n_steps[number] += 1
        step = self._steps[taken]
        if step is Step.ALERT:
            self._n_alerts[number] = 1
        return step


def last_rows(states: npt.NDArray[Any], codes: Times) -> Times:
    """Give when the last row of each symbol was read; 0 where none was.

    Parameters
    ----------
    states
        Of a session in a table, as `ring.Streams.states` gives them.
    codes
        The symbols', shape (n,); -1 for any symbol.
    """
    if not len(states):
        return np.zeros(len(codes), np.int64)
    times = np.where(states["n_rows"] > 0, states["last_mono"], 0)
    inside = np.where((codes >= 0) & (codes < len(states)), codes, 0)
    found = np.where((codes >= 0) & (codes < len(states)), times[inside], 0)
    return np.where(codes < 0, times.max(), found).astype(np.int64)
