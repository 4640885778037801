"""Whether the rows after a silence were read late, or their venue's clock was set back meanwhile.

Rules of this file
------------------
- By their venue's clock both look alike: the first row is older than it should be. But what was
  late is in time again soon, and a clock that was set back stays so. So a silence that ends with a
  late row waits for a moment: if no row is in time until then, it lasted until that row was read.
- Rows that were late are read faster than they were made. Where another silence follows and those
  between were read at their own pace, they were not late: the clock was set back for them alone.
- While a clock is off its rows are as late as that, and are not: where it is right again, no
  silence is as long as the step.
- What waits is given in order: a later silence of the same table waits with it, for it may begin
  where that one ends, and is another one where the clock was off.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile

from tickwire.ledger.index import StreamIndex
from tickwire.ledger.silence_limits import NEVER
from tickwire.ring import Silence

LATE_NS = 300_000_000  # a shorter step moves no gap by much
WAIT_NS = 600_000_000
SAME = 0.75  # of its lateness: so late is what has stayed so; of a pace: as fast
PACE_NS = 1_000_000  # by which a pace is not known, venues' clocks being coarse
NO_TIME = -NEVER - 1  # of a row without the venue's


@dataclass(slots=True)
class _Waiting:
    """A silence that ended with a late row, and how late the quickest row was since.

    Or one behind it, that ended with a row in time.
    """

    silence: Silence
    until_ns: int
    is_late: bool
    is_judged: bool = False  # what follows it has shown that its row was not late
    least_ns: int = NEVER

    @property
    def was_late(self) -> bool:
        """Whether a row was in time since."""
        return self.least_ns < SAME * _late_ns(self.silence)

    def is_open(self, now_ns: int) -> bool:
        """Whether it is not known yet what the silence is."""
        is_known = self.is_judged or self.was_late or now_ns >= self.until_ns
        return self.is_late and not is_known

    def judge(self, follows: Silence) -> None:
        """Look at the rows between its end and the silence of the same streams that follows."""
        if not self.is_late or self.is_judged or self.was_late:
            return
        read_ns = follows.from_mono_ns - self.silence.to_mono_ns
        made_ns = follows.from_due_ns - self.silence.to_due_ns
        if read_ns >= 0 and made_ns * SAME <= read_ns + PACE_NS:
            self.is_judged = True
            self.least_ns = follows.from_mono_ns - follows.from_due_ns


class SetClocks:
    """Holds silences back until it is known whether the rows after them were late.

    Parameters
    ----------
    index
        The source's streams.
    """

    def __init__(self, index: StreamIndex) -> None:
        self._index = index
        # By part and table, in the order of their ends.
        self._waiting: dict[tuple[int, str], list[_Waiting]] = {}
        # By part and table: by how much, and until when; monotonic.
        self._off: dict[tuple[int, str], tuple[int, int]] = {}

    def hold(self, part: int, table: str, silence: Silence, now_ns: int, *, is_last: bool) -> bool:
        """Hold a silence back, where its end is not known yet, or another's; whether it is held.

        Parameters
        ----------
        part, table
            Whose it is.
        silence
            Which.
        now_ns
            By the monotonic clock.
        is_last
            Nothing is to begin to wait: other gaps are about to open.
        """
        is_late = silence.to_event_ns is not None and _late_ns(silence) >= LATE_NS
        if (part, table) not in self._waiting and (is_last or not is_late):
            return False
        waiting = self._waiting.setdefault((part, table), [])
        for each in reversed(waiting):
            if each.silence.code == silence.code:
                each.judge(silence)
                break
        waiting.append(_Waiting(silence, now_ns + WAIT_NS, is_late))
        return True

    def take(self, now_ns: int, *, is_last: bool) -> list[tuple[int, str, Silence]]:
        """Give the silences whose end is known: their part, table, and what they are.

        Parameters
        ----------
        now_ns
            By the monotonic clock.
        is_last
            Give all of them: other gaps are about to open.
        """
        found = []
        for place, waiting in tuple(self._waiting.items()):
            for each in waiting:
                if each.is_late and not each.is_judged:
                    self._look(place, each)
            still = [] if is_last else [*dropwhile(lambda each: not each.is_open(now_ns), waiting)]
            for each in waiting[: len(waiting) - len(still)]:
                silence = self._known(place, each)
                if silence is not None:
                    found.append((*place, silence))
            if still:
                self._waiting[place] = still
            else:
                del self._waiting[place]
        return found

    def _look(self, place: tuple[int, str], waiting: _Waiting) -> None:
        states = self._index.states(*place)
        code = waiting.silence.code
        if code is not None:
            states = states[code : code + 1]
        events, least = states["last_event"], states["least_delay"]
        is_known = (events != NO_TIME) & (least != NEVER)
        states = states[is_known & (states["last_mono"] > waiting.silence.to_mono_ns)]
        if len(states):
            late = states["last_mono"] - states["last_event"] - states["least_delay"]
            waiting.least_ns = min(waiting.least_ns, int(late.min()))

    def _known(self, place: tuple[int, str], waiting: _Waiting) -> Silence | None:
        """Give what a silence is that has waited; None where it is none."""
        silence = self.corrected(*place, waiting.silence)
        is_set_back = waiting.is_late and waiting.least_ns != NEVER and not waiting.was_late
        if silence is waiting.silence and is_set_back:
            self._off[place] = waiting.least_ns, NEVER
            return silence._replace(to_due_ns=silence.to_mono_ns)
        return silence

    def corrected(self, part: int, table: str, silence: Silence) -> Silence | None:
        """Give a silence as it is where the clock was off before it; None where it is none."""
        off_ns, until_ns = self._off.get((part, table), (0, 0))
        from_late_ns = silence.from_mono_ns - silence.from_due_ns
        if silence.from_mono_ns > until_ns or from_late_ns < SAME * off_ns:
            return silence
        to_ns = silence.to_mono_ns
        if _late_ns(silence) < off_ns - SAME * off_ns:  # it is right again
            self._off[part, table] = off_ns, min(until_ns, to_ns)
            to_ns = silence.to_due_ns
        silent_ns = max(0, to_ns - silence.from_mono_ns)
        if silent_ns <= silence.limit_ns:
            return None
        return silence._replace(
            from_due_ns=silence.from_mono_ns, to_due_ns=to_ns, silent_ns=silent_ns
        )


def _late_ns(silence: Silence) -> int:
    return silence.to_mono_ns - silence.to_due_ns
