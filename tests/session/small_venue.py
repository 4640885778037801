"""A small venue for the tests of sessions: its words, its server, a handler, an observer."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.net.servers import Peer, text
from websockets.frames import Opcode

from tickwire.config import SessionOptions
from tickwire.observe import Metrics
from tickwire.session import Session, SessionObserver, SessionSettings
from tickwire.venues.base import Heartbeat, Limits, Reply, Subscription, Venue
from tickwire.wire import MessageQueue


def quick(**changed: Any) -> SessionSettings:
    """Give settings that wait little, with changes to them or to the source's options."""
    options = {"backoff_max_s": 0.02, "subscribe_timeout_s": 2.0}
    settings: dict[str, Any] = {"first_delay_s": 0.01, "healthy_s": 0.0}
    for name, value in changed.items():
        (options if name in SessionOptions.model_fields else settings)[name] = value
    return SessionSettings(SessionOptions(**options), **settings)


QUICK = quick()


class Handler(MessageQueue):
    """Keeps data messages; gives those that are for the session as a decoder does."""

    def __init__(self, max_bytes: int = 1 << 30, max_messages: int = 0) -> None:
        super().__init__(max_bytes=max_bytes, max_messages=max_messages)
        self.data: list[str] = []
        self.last_message_ns = 0

    def take_events(self) -> list[tuple[str, bytes]]:
        events = []
        while (message := self.take()) is not None:
            words = message.payload.decode()
            if words.startswith("data"):
                self.data.append(words)
                self.last_message_ns = 1
            else:
                kind = json.loads(words)["kind"] if words.startswith("{") else "error"
                events.append((kind, message.payload))
        return events


class Stuck(Handler):
    """Is full at a second message until `free`; what waits stays."""

    def __init__(self) -> None:
        super().__init__(max_bytes=1)
        self.free = False

    def take_events(self) -> list[tuple[str, bytes]]:
        return super().take_events() if self.free else []


def subscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    return json.dumps({"id": request_id, "subscribe": [each.key for each in subscriptions]})


def reply(kind: str, payload: bytes) -> Reply:
    said = json.loads(payload)
    if kind == "ping":
        return Reply(answer=json.dumps({"pong": said["value"]}))
    return Reply(
        acknowledged=tuple(said.get("ok", ())),
        refused=tuple(said.get("refused", ())),
        ended=tuple(said.get("ended", ())),
        text=said.get("text", ""),
        retry=said.get("retry", False),
        request_id=said.get("id"),
        request_ok=said.get("fine", True),
    )


VENUE = Venue(
    name="small",
    endpoints={"main": "ws://x"},
    channels=(),
    messages=(),
    subscribe=subscribe,
    reply=reply,
    heartbeat=Heartbeat("none", 0, 0),
    limits=Limits(
        subscriptions_per_connection=100,
        subscriptions_per_request=2,
        requests_per_s=0,
        connects_per_min=0,
    ),
)


def subscriptions(*keys: str) -> list[Subscription]:
    return [Subscription("trades", key, "trades", key) for key in keys]


@dataclass
class Observer(SessionObserver):
    """Writes down its events."""

    told: list[tuple[object, ...]] = field(default_factory=list)
    n_warned: int = 0
    acknowledgements: list[tuple[int, str]] = field(default_factory=list)

    def _tell(self, *what: object) -> None:
        self.told.append(what)

    def connected(self, session: Session, conn: int) -> None:
        self._tell("connected", conn)

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        self.acknowledgements.append((session.conn, subscription.key))

    def subscribed(self, session: Session, conn: int) -> None:
        self._tell("subscribed", conn)

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        self._tell("disconnected", conn, reason)
        self.detail = detail

    def refused(self, session: Session, subscription: Subscription, text: str, retry: bool) -> None:
        self._tell("refused", subscription.key, text, retry)

    def connect_failed(self, session: Session, text: str) -> None:
        self._tell("connect_failed", text)

    def warned(self, session: Session, text: str) -> None:
        self.n_warned += 1
        self._tell("warned", text)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - conditions of many kinds
            await asyncio.sleep(0.002)

    async def until_told(self, *what: object) -> None:
        await self.until(lambda: what in self.told)


@dataclass
class Running:
    session: Session
    observer: Observer
    handlers: dict[int, Handler]
    task: asyncio.Task[None]
    metrics: Metrics

    def count(self, name: str) -> float:
        """What the session counts under a name."""
        return self.metrics.registry.total(name)


@asynccontextmanager
async def running(
    url: str,
    keys: Sequence[str],
    *,
    venue: Venue = VENUE,
    settings: SessionSettings = QUICK,
    make: Callable[[], Handler] = Handler,
) -> AsyncIterator[Running]:
    """Run a session, and see that it stops when told to."""
    handlers: dict[int, Handler] = {}
    numbers = iter(range(7, 1000))

    def make_handler(conn: int) -> Handler:
        handlers[conn] = make()
        return handlers[conn]

    observer = Observer()
    metrics = Metrics(labels={"source": "0", "venue": venue.name})
    session = Session(
        venue,
        [url],
        subscriptions(*keys),
        make_handler=make_handler,
        next_conn=lambda: next(numbers),
        observers=[observer],
        settings=settings,
        metrics=metrics,
    )
    task = asyncio.ensure_future(session.run())
    try:
        async with asyncio.timeout(10):
            yield Running(session, observer, handlers, task, metrics)
            session.stop()
            await task
        assert not session.is_subscribed
    finally:
        task.cancel()


async def read_request(peer: Peer) -> dict[str, object]:
    while True:
        opcode, payload = await peer.read_frame()
        if opcode == Opcode.TEXT:
            said = json.loads(payload)
            assert isinstance(said, dict)
            return said


def say(**words: object) -> bytes:
    return text(json.dumps({"kind": "acknowledge", **words}))


async def accept_all(peer: Peer, n_requests: int) -> list[dict[str, object]]:
    await peer.shake_hands()
    requests = []
    for _ in range(n_requests):
        request = await read_request(peer)
        requests.append(request)
        await peer.send(say(id=request["id"]))
    return requests
