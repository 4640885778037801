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
- Nothing is expected of a stream that may be silent: what happens to a user.
- A silence counts from the last row or the acknowledgement, whichever is later, and not while
  nothing could be read (`hold`).
- Streams are numbers here, times are ns of the monotonic clock. All streams are looked at together,
  in arrays; while none can be due, a look only learns.
"""

from __future__ import annotations

from enum import Enum

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
    may_be_silent
        Of each stream; all False where left out.
    """

    def __init__(
        self,
        declared_s: list[float],
        *,
        floor_s: float,
        first_s: float,
        n_endpoints: int = 1,
        may_be_silent: list[bool] | None = None,
    ) -> None:
        n = len(declared_s)
        self._floor_ns = round(floor_s * 1e9)
        self._first_ns = round(first_s * 1e9)
        self._steps = [Step.RESUBSCRIBE, Step.RECONNECT, Step.NEXT_ENDPOINT, Step.ALERT]
        if n_endpoints < 2:
            self._steps.remove(Step.NEXT_ENDPOINT)
        self._is_expected = ~np.array(may_be_silent or [False] * n, bool)
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
        # Before this nothing can be due: rows, which may come meanwhile, only put it off.
        self._due_ns = 0

    def acknowledged(self, number: int, now_ns: int) -> None:
        """Note that rows of a stream are to be expected from now on."""
        self._acknowledged[number] = now_ns
        self._due_ns = 0

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
    def due_ns(self) -> int:
        """Before this a look only learns."""
        return self._due_ns

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

    def has_given_up(self, number: int) -> bool:
        """Whether everything has been tried against a stream's silence, and it lasts."""
        return bool(self._n_alerts[number])

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
        if now_ns >= self._due_ns:
            found += self._act(now_ns)
        return found

    def _act(self, now_ns: int) -> list[tuple[int, Step]]:
        """Find what is due, and when something can be next."""
        found: list[tuple[int, Step]] = []
        since, is_expected = self._since(), (self._acknowledged > 0) & self._is_expected
        unnamed = is_expected & (self._last == 0) & ~self._is_named
        name_at = _at(unnamed, since, self._first_ns)
        for number in np.flatnonzero(now_ns >= name_at).tolist():
            self._is_named[number] = True
            found.append((number, Step.NAME))
        doubtful = (
            (self._acknowledged > self._last)
            & (self._acknowledged > self._doubted)
            & (self._last > 0)
            & self._is_expected
        )
        doubt_at = _at(doubtful, since, self._learned())
        for number in np.flatnonzero(now_ns >= doubt_at).tolist():
            self._doubted[number] = self._acknowledged[number]
            found.append((number, Step.DOUBT))
        act_at = _at(is_expected, np.maximum(since, self._acted), self._waits())
        for number in np.flatnonzero(now_ns >= act_at).tolist():
            found.append((number, self._next_step(number)))
            self._acted[number] = now_ns
        # Until it is learned, how long a silence may be is not bounded; the floor always holds.
        act_at = np.minimum(act_at, np.where(is_expected, now_ns + self._floor_ns, _NEVER))
        first = np.minimum(np.minimum(name_at, doubt_at), act_at)
        self._due_ns = int(first.min(initial=_NEVER))
        return found

    def _learn(self, now_ns: int, last_ns: Times) -> list[tuple[int, Step]]:
        """Note new rows: how long the silence before each was, and which have ended one."""
        if now_ns - self._window_ns >= WINDOW_NS:
            self._window_ns = now_ns
            self._due_ns = 0
            self._longest[1] = self._longest[0]
            self._longest[0] = 0
        has_new = last_ns > self._last
        has_gap = has_new & (self._last > 0)
        gaps = last_ns - self._since()
        np.maximum(self._longest[0], gaps, out=self._longest[0], where=has_gap)
        self._n_learned += has_gap
        recovered: list[int] = []
        if self._n_steps.any():
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


def _at(applies: npt.NDArray[np.bool_], start: Times, wait: Times | int) -> Times:
    """Give when each wait is over; never, where it does not apply or has no end."""
    return np.where(applies, start + np.minimum(wait, _NEVER - start), _NEVER)
