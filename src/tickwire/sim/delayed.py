"""What a connection sends later than it could: by a delay, and a jitter that keeps its order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random


class Delayed:
    """Holds what is to be written, until it is due.

    Parameters
    ----------
    write
        Writes it.
    seed
        Of the jitter.
    """

    def __init__(self, write: Callable[[bytes], None], seed: int) -> None:
        self.delay_s = 0.0
        self.jitter_s = 0.0  # by chance up to this, on top
        self.is_held = False  # nothing is written, whether it is due or not
        self.n_bytes = 0
        self._write = write
        self._random = Random(seed)  # noqa: S311 - no secret
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing has to."""
        return not (self._waiting or self.delay_s or self.jitter_s)

    def add(self, data: bytes) -> None:
        """Write something when it is due, behind what was added before."""
        late_s = self.delay_s + self.jitter_s * self._random.random()
        due_s = asyncio.get_running_loop().time() + late_s
        if self._waiting:
            due_s = max(due_s, self._waiting[-1][0])
        self._waiting.append((due_s, data))
        self.n_bytes += len(data)
        self._wait()

    def release(self) -> None:
        """Write what is due, after `is_held`."""
        self.is_held = False
        self._wait()

    def write_all(self) -> None:
        """Write what waits, due or not."""
        while self._waiting:
            self._write_first()

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self.n_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._timer is None and self._waiting and not self.is_held:
            self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0], self._on_due)

    def _on_due(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0][0] <= now_s and not self.is_held:
            self._write_first()
        self._wait()

    def _write_first(self) -> None:
        data = self._waiting.popleft()[1]
        self.n_bytes -= len(data)
        self._write(data)
