"""The spiller of a sink: a thread that moves rows out of the rings where the worker does not.

It also syncs the spill, every `sync_s` and at the end: the worker may hang in its output.
"""

from __future__ import annotations

import threading
from time import monotonic

from tickwire.sinks import attempts as limits
from tickwire.sinks.attempts import Attempts
from tickwire.sinks.intake import Intake

# A worker that is busy for so long, while a ring is so full, is helped.
BUSY_S = 0.5
SPILL_DEPTH = 0.5
SPILL_LOOK_S = 0.1


class Spiller:
    """Looks after rings whose rows the worker does not take.

    Parameters
    ----------
    name
        The sink's.
    intake
        The sink's.
    attempts
        How its output does.
    """

    def __init__(self, name: str, intake: Intake, attempts: Attempts) -> None:
        self._intake = intake
        self._attempts = attempts
        self._ends = threading.Event()
        self._spills_last = True
        self._sync_due_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"spill-{name}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float, *, spills_last: bool) -> bool:
        """End; tell whether it has.

        Parameters
        ----------
        timeout_s
            How long that may take.
        spills_last
            First put what the rings still hold into a spill on disk.
        """
        self._spills_last = spills_last
        self._ends.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        look_s = SPILL_LOOK_S
        while not self._ends.wait(look_s):
            self._sync()
            # A worker that was not busy is not for `BUSY_S`, and not in need of anything before.
            is_idle = self._attempts.busy_since_s is None and not self._intake.spill.has_unread
            look_s = max(SPILL_LOOK_S, BUSY_S / 2) if is_idle else SPILL_LOOK_S
            if is_idle:
                continue
            with self._intake.lock:
                if self._must_spill():
                    self._intake.spill_rows()
        if self._spills_last and self._intake.spill.is_durable:
            with self._intake.lock:
                self._intake.spill_rows()
            self._sync(is_last=True)

    def _sync(self, *, is_last: bool = False) -> None:
        sync_s, now_s = self._intake.spill.sync_s, monotonic()
        if sync_s and (is_last or now_s >= self._sync_due_s):
            self._sync_due_s = now_s + sync_s
            self._intake.sync()

    def _must_spill(self) -> bool:
        since_s = self._attempts.busy_since_s  # the worker writes it
        busy_s = 0.0 if since_s is None else monotonic() - since_s
        if busy_s >= limits.SPILL_AFTER_S:
            return True
        if busy_s < BUSY_S and not self._intake.spill.has_unread:
            return False
        return any(source.depth >= SPILL_DEPTH for source in self._intake.sources.values())
