"""A process that sends, seen from its parent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tickwire.bench.processes import ChildProcess
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
        Rows per table; empty where what was recorded is sent.
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


class SenderProcess(ChildProcess):
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

    name = "the load generator"

    def __init__(self, target: Callable[..., None], spec: object) -> None:
        super().__init__()
        self.address: Any = None
        self._target = target
        self._spec = spec

    def __enter__(self) -> Self:
        self._start(self._target, self._spec)
        try:
            self.address = self._receive(None)
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
        result = self._receive(timeout_s)
        if isinstance(result, LoadReport):
            return result
        raise TickwireError(str(result))
