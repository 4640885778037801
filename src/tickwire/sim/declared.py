"""A venue that the simulator has no market for: it plays a capture to every subscriber.

Rules of this file
------------------
- A declaration says how to read a venue's answers, not how to write them: acknowledgements come
  from the capture, where it has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tickwire.sim.exchange import Answer, Client, Exchange, Message, Reaction
from tickwire.sim.market import Event

EVERYTHING = "*"


class Declared(Exchange):
    """Takes every path and every request; REST answers are the capture's."""

    def accept(self, path: str, query: Mapping[str, str], client: Client) -> Reaction | None:
        """Take the connection, and wait for its first request."""
        return Reaction([self.greeting] if self.greeting is not None else [])

    def request(self, text: str, client: Client) -> Reaction:
        """Play the capture from the first request on."""
        client.keys[EVERYTHING] = None
        return Reaction()

    def render(self, event: Event, wanted: Mapping[str, Any]) -> Iterable[Message]:
        """Render nothing: there is no market."""
        return ()

    def rest(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer | None:
        """Know no other path than the capture's."""
        return None
