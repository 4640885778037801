"""A process of its own and the pipe to it, seen from the one that started it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, ClassVar

from tickwire.errors import TickwireError


class Child:
    """A process that ends with its block; what it does and says is a subclass's.

    Attributes
    ----------
    name, lateness
        Who it is, and what it has not done where it is late: for errors.
    """

    name: ClassVar[str] = "the process"
    lateness: ClassVar[str] = "did not finish"

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        """Start it: `target` is called with the arguments and its end of the pipe."""
        # Not forked: the parent may have threads and an event loop.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(*arguments, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def _receive(self, timeout_s: float | None) -> Any:
        """Wait for what it says next; None: as long as it lives.

        Raises
        ------
        TickwireError
            Where it has ended, or says nothing in time.
        """
        if self._pipe is None:
            raise TickwireError(f"{self.name} does not run")
        if not self._pipe.poll(timeout_s):
            raise TickwireError(f"{self.name} {self.lateness} within {timeout_s:g} s")
        try:
            return self._pipe.recv()
        except EOFError:
            raise TickwireError(f"{self.name} ended before it was done") from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
