"""Debug mode: what keeps the event loop from its work, and where memory grows.

Rules of this file
------------------
- A thread looks at the loop from outside and names what blocks it while it does: the task, and the
  line of its code that runs. asyncio's own debug mode says so afterwards, and not which line.
- It costs: every allocation is traced. Nothing of this runs without `--debug`.
- Where memory grows is found out in a thread: of hundreds of thousands of allocations that takes
  seconds, of which the interpreter lets nothing else run in the first tenth.
"""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
import tracemalloc
from pathlib import Path
from time import monotonic
from types import FrameType

from tickwire.logs import get_logger

SLOW_S = 0.1  # a callback that takes longer is logged
LOOK_S = 0.02
MOST_GROWTHS = 10
STANDARD_LIBRARY = sysconfig.get_path("stdlib")

_log = get_logger("tickwire.debug")


class SlowCallbacks:
    """Logs what keeps the running loop busy for too long; a context manager.

    Parameters
    ----------
    slow_s
        What is too long.

    Attributes
    ----------
    n_slow
        How often it was.
    """

    def __init__(self, slow_s: float = SLOW_S) -> None:
        self.n_slow = 0
        self._slow_s = slow_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._beat_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="slow-callbacks", daemon=True)

    def __enter__(self) -> SlowCallbacks:
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        self._beat_s = monotonic()
        if self._loop is not None and not self._ended.is_set():
            self._loop.call_later(LOOK_S, self._beat)

    def _watch(self) -> None:
        seen_s, culprit = 0.0, ("", "")
        while not self._ended.wait(LOOK_S):
            beat_s = self._beat_s
            if seen_s and beat_s != seen_s:  # it goes on
                _log.warning(
                    "slow callback",
                    task=culprit[0],
                    where=culprit[1],
                    seconds=round(beat_s - seen_s, 3),
                )
                seen_s = 0.0
            elif not seen_s and monotonic() - beat_s > self._slow_s + LOOK_S:
                self.n_slow += 1
                seen_s, culprit = beat_s, (self._task(), self._where())
                _log.warning("the loop is blocked", task=culprit[0], where=culprit[1])

    def _task(self) -> str:
        task = asyncio.current_task(self._loop)
        return "" if task is None else task.get_name()

    def _where(self) -> str:
        """Give the innermost line outside of the standard library."""
        frame: FrameType | None = sys._current_frames().get(self._thread_id)
        found = innermost = frame
        while frame is not None:
            name = frame.f_code.co_filename
            if "site-packages" in name or not name.startswith((STANDARD_LIBRARY, "<")):
                found = frame
                break
            frame = frame.f_back
        found = found or innermost
        if found is None:
            return ""
        code = found.f_code
        return f"{Path(code.co_filename).name}:{found.f_lineno} {code.co_qualname}"


class MemoryGrowth:
    """Where memory has grown since this was made; traces every allocation from then on."""

    def __init__(self) -> None:
        if not tracemalloc.is_tracing():
            tracemalloc.start()
        self._before = _sizes_by_line()
        self._logging: threading.Thread | None = None

    def largest(self) -> list[tuple[str, int, int]]:
        """Give the ten largest growths: file and line, bytes more, blocks more."""
        growths = []
        for (name, line), (n_bytes, n_blocks) in _sizes_by_line().items():
            bytes_before, blocks_before = self._before.get((name, line), (0, 0))
            if n_bytes > bytes_before:
                where = f"{'/'.join(Path(name).parts[-2:])}:{line}"
                growths.append((where, n_bytes - bytes_before, n_blocks - blocks_before))
        return sorted(growths, key=lambda each: -each[1])[:MOST_GROWTHS]

    def log_in_thread(self) -> None:
        """Log them, a line each, without keeping the caller; one look at a time."""
        if self._logging is not None and self._logging.is_alive():
            _log.warning("memory growth is being looked at already")
            return
        self._logging = threading.Thread(target=self.log, name="memory-growth", daemon=True)
        self._logging.start()

    def log(self) -> None:
        """Log them, a line each."""
        for where, n_bytes, n_blocks in self.largest():
            _log.info("memory growth", where=where, bytes=n_bytes, blocks=n_blocks)

    def stop(self) -> None:
        """Trace no more."""
        if self._logging is not None:
            self._logging.join()
        tracemalloc.stop()


def _sizes_by_line() -> dict[tuple[str, int], tuple[int, int]]:
    """Give what is allocated now, bytes and blocks, by file and line."""
    own = tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__)
    statistics = tracemalloc.take_snapshot().filter_traces([own]).statistics("lineno")
    return {
        (each.traceback[0].filename, each.traceback[0].lineno): (each.size, each.count)
        for each in statistics
    }
