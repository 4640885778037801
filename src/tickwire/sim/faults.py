"""What can be made to go wrong, and where.

A fault strikes once: at the first data message whose number (counted over all connections, from 1)
is at least `at` and whose channel fits. REST refusals are a list of statuses, one per request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "abort",  # the connection is lost without a close frame
    "close",  # the server closes it: code 1001, or `code`
    "truncate",  # the message is cut in half: no JSON
    "missing-field",  # a required key is renamed
    "protocol-error",  # a frame with a reserved opcode, RFC 6455 section 5.2
    "error",  # the venue's error message comes instead
    "skip",  # the message is left out: of depth deltas, a hole in the chain
    "stall",  # this connection gets no data any more; pings are still answered
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong once.

    Parameters
    ----------
    kind
        What happens.
    at
        From which data message on, counted from 1.
    channel
        Only at a message of this channel.
    code
        Close code of the kind `close`.
    """

    kind: Kind
    at: int = 1
    channel: str | None = None
    code: int = 1001


@dataclass(slots=True)
class Faults:
    """All that goes wrong in a run.

    Parameters
    ----------
    messages
        At data messages.
    refuse
        Says of a subscription (its JSON, or the name of its stream) whether it is refused.
    rest_statuses
        Statuses that the first REST requests are answered with, 200 for a real answer.
    rest_delay_s
        How long each REST answer is held back.
    retry_after_s
        `Retry-After` of the statuses 429, 418 and 503.
    """

    messages: list[Fault] = field(default_factory=list)
    refuse: Callable[[str], bool] = lambda _: False
    rest_statuses: list[int] = field(default_factory=list)
    rest_delay_s: float = 0.0
    retry_after_s: int = 1

    def due(self, number: int, channel: str) -> Fault | None:
        """Return the fault that strikes this message; it is spent then."""
        for position, fault in enumerate(self.messages):
            if number >= fault.at and fault.channel in (None, channel):
                return self.messages.pop(position)
        return None

    def rest_status(self) -> int:
        """Return the status of the next REST answer."""
        return self.rest_statuses.pop(0) if self.rest_statuses else 200


def damaged(payload: bytes, kind: Kind, required: Iterable[bytes]) -> bytes:
    """Return the payload as `truncate` or `missing-field` leaves it."""
    if kind == "truncate":
        return payload[: len(payload) // 2]
    for key in required:
        if key in payload:
            return payload.replace(key, b'"_' + key[1:])
    return b"{}"
