"""What a simulator has done, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """What a simulator has done. Data messages only, where nothing else is said.

    Parameters
    ----------
    connections, open_connections
        Accepted since the start, and now.
    requests, replies
        Texts received, and texts sent that are not data.
    rest_requests
        Answered in any way.
    pongs
        Received, asked for or not.
    messages, bytes
        Sent on all connections, and their payload.
    by_channel, rows, repeated
        Messages, rows in them, and rows sent that had been sent before (trades after a subscribe).
    faults
        What went wrong on purpose, by kind.
    subscriptions
        That deliver, now.
    refused
        Clients that went past a bound, by which.
    """

    connections: int = 0
    open_connections: int = 0
    requests: int = 0
    replies: int = 0
    rest_requests: int = 0
    pongs: int = 0
    messages: int = 0
    bytes: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    subscriptions: int = 0
    refused: Counter[str] = field(default_factory=Counter)
