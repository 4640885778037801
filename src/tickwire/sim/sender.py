"""A process that sends, seen from the one that started it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

from tickwire.errors import TickwireError


@dataclass(slots=True)
class LoadReport:
    """What was sent.

    Parameters
    ----------
    messages, bytes
        Sent, frame headers included.
    seconds
        From the first to the last send.
    blocked_seconds
        Of these, spent waiting for the client to read.
    start_ns
        Wall clock when sending began.
    rows
        Rows per table.
    """

    messages: int
    bytes: int
    seconds: float
    blocked_seconds: float
    start_ns: int
    rows: dict[str, int]

    @property
    def messages_per_second(self) -> float:
        """The rate that was reached."""
        return self.messages / self.seconds if self.seconds else 0.0


class SenderProcess:
    """A sender in its own process; a context manager.

    Parameters
    ----------
    target
        What runs there, a function of a module, called with the spec and one end of a pipe. It
        sends its address, and then a LoadReport or an error's text.
    spec
        What to send.

    Attributes
    ----------
    address
        What the target said, inside the block.
    """

    def __init__(self, target: Callable[..., None], spec: object) -> None:
        self.address: Any = None
        self._target = target
        self._spec = spec
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        # Not forked: the parent may have threads and an event loop.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (self._spec, theirs)
        self._process = context.Process(target=self._target, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.address = self._received()
        except TickwireError:
            self.__exit__(None, None, None)
            raise
        return self

    def is_done(self) -> bool:
        """Whether a report is waiting."""
        return self._pipe is not None and self._pipe.poll()

    def report(self, timeout_s: float = 60.0) -> LoadReport:
        """Wait until all is sent; what was sent.

        Raises
        ------
        TickwireError
            Where the sender failed or did not finish in time.
        """
        if self._pipe is None or not self._pipe.poll(timeout_s):
            raise TickwireError(f"the load generator did not finish within {timeout_s:g} s")
        result = self._received()
        if isinstance(result, LoadReport):
            return result
        raise TickwireError(str(result))

    def _received(self) -> Any:
        assert self._pipe is not None  # noqa: S101 - for mypy: only used inside the block
        try:
            return self._pipe.recv()
        except EOFError:
            raise TickwireError("the load generator ended before it was done") from None

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
