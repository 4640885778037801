"""Our pings that wait for their pong: RFC 6455 sections 5.5.2 and 5.5.3."""

from __future__ import annotations

import asyncio
import time

MAX_PAYLOAD_BYTES = 125  # of a control frame, section 5.5
WAITING_PINGS = 64  # past that the oldest are given up


class WaitingPings:
    """Pings that have been sent and not been answered, oldest first.

    Parameters
    ----------
    loop
        That of the connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sent: dict[bytes, tuple[asyncio.Future[float], float]] = {}

    def check(self, payload: bytes) -> None:
        """Raise `ValueError` if a ping may not have this payload."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"the payload of a ping has at most {MAX_PAYLOAD_BYTES} bytes")
        if payload in self._sent:
            raise ValueError("a ping with the same payload has not been answered yet")

    def add(self, payload: bytes) -> asyncio.Future[float]:
        """Note a ping that has just been sent; give what is done when its pong comes."""
        if len(self._sent) >= WAITING_PINGS:  # a peer that never answers
            oldest, _ = self._sent.pop(next(iter(self._sent)))
            oldest.cancel()
        answer: asyncio.Future[float] = self._loop.create_future()
        self._sent[payload] = (answer, time.monotonic())
        return answer

    def on_pong(self, payload: bytes) -> None:
        """Answer the ping of that payload, and all older ones."""
        if payload not in self._sent:
            return  # unsolicited, section 5.5.3: no ping waits for it
        now = time.monotonic()
        for sent in list(self._sent):
            answer, sent_at = self._sent.pop(sent)
            if not answer.done():
                answer.set_result(now - sent_at)
            if sent == payload:
                break

    def end(self, error: Exception) -> None:
        """Fail those that wait, because no pong will come any more."""
        for answer, _ in self._sent.values():
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # retrieved: a ping need not be awaited
        self._sent.clear()
