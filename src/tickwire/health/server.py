"""The HTTP server of a running feed: /metrics, /health, /health/live, /health/ready, /book.

Rules of this file
------------------
- It answers GET, changes nothing, and never raises into the feed. It runs in the feed's loop: a
  scrape is made in slices, and the loop runs after each.
- Besides the address of `[metrics]` it listens on a socket in the state's folder, which only the
  feed's user can open. There alone it takes a POST: what changes a feed is never asked over TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

from tickwire.config.sockets import bind_privately
from tickwire.errors import TickwireError
from tickwire.health.components import Component, State, worst
from tickwire.health.exposition import OPEN_METRICS, TEXT, Exposition
from tickwire.health.http import READING, Client, Reply, Request
from tickwire.logs import get_logger

SLICE_S = 0.0005  # of a scrape, before the loop has its turn
JSON = "application/json; charset=utf-8"


class Probe(Protocol):
    """What the server asks of a feed."""

    @property
    def text_age_s(self) -> float:
        """How old the text of a scrape may be, where there is no time to make another one."""

    def components(self) -> Sequence[Component]:
        """Give how each component is."""

    def is_ready(self) -> bool:
        """Whether every source is subscribed and every sink open."""

    def is_live(self) -> bool:
        """Whether housekeeping is done."""

    def details(self) -> dict[str, Any]:
        """Give what `/health` shows besides."""


class HealthServer:
    """Answers about one feed, and takes what it is asked to do.

    Parameters
    ----------
    probe
        The feed.
    exposition
        Its metrics.
    address
        Host and port; None for no TCP.
    local
        Path of the socket; None for none.
    on_scrape
        Called before metrics are read.
    on_emergency
        Called with the reason, where an emergency shutdown is asked for.
    on_book
        Called with the query of `/book`; gives the answer. Raises KeyError, ValueError or
        RuntimeError where there is none.
    """

    def __init__(
        self,
        probe: Probe,
        exposition: Exposition,
        address: tuple[str, int] | None,
        local: Path | None,
        on_scrape: Callable[[], None] = lambda: None,
        on_emergency: Callable[[str], None] | None = None,
        on_book: Callable[[dict[str, str]], dict[str, Any]] | None = None,
    ) -> None:
        self._probe = probe
        self._exposition = exposition
        self._address = address
        self._socket = local
        self._on_scrape = on_scrape
        self._texts: dict[bool, tuple[bytes, float]] = {}  # the last ones, and when they were made
        self._servers: list[asyncio.Server] = []
        self._clients: set[Client] = set()
        self._answers: dict[tuple[str, str], Callable[[Request], Awaitable[Reply]]] = {
            ("GET", "/metrics"): self._metrics,
            ("GET", "/health"): self._health,
            ("GET", "/health/live"): self._live,
            ("GET", "/health/ready"): self._ready,
        }
        self._on_emergency = on_emergency
        if on_emergency is not None:
            self._answers["POST", "/emergency"] = self._emergency
        self._on_book = on_book
        if on_book is not None:
            self._answers["GET", "/book"] = self._book
        self._log = get_logger("tickwire.health")
        self.url = ""

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        TickwireError
            The address cannot be had. A socket that cannot be had is a line in the log.
        """
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            await self._listen_locally(self._socket)
        if self._address is None:
            return
        host, port = self._address
        try:
            server = await loop.create_server(self._client, host, port)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            await self.stop()
            text = f"metrics.listen: cannot listen on {host}:{port}: {why}"
            raise TickwireError(text) from None
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}"
        self._log.info("metrics", url=f"{self.url}/metrics")

    def _client(self) -> Client:
        return Client(self._answer, self._clients)

    def _local_client(self) -> Client:
        return Client(self._answer, self._clients, (*READING, "POST"))

    async def _answer(self, request: Request) -> Reply | None:
        answer = self._answers.get((request.method, request.path))
        return None if answer is None else await answer(request)

    async def _listen_locally(self, path: Path) -> None:
        _forget(path)  # of a feed that was killed: the state's lock is this one's
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bind_privately(listening, path)
        except OSError as error:
            listening.close()
            self._socket = None
            why = error.strerror or str(error)
            self._log.warning("no socket for `tickwire status`", path=str(path), why=why)
            return
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._local_client, sock=listening))

    async def stop(self) -> None:
        """Close everything."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for client in list(self._clients):
            client.abort()
        if self._socket is not None:
            _forget(self._socket)

    async def _metrics(self, request: Request) -> Reply:
        is_open = "application/openmetrics-text" in request.accept
        kind = OPEN_METRICS if is_open else TEXT
        text, made_s = self._texts.get(is_open, (b"", float("-inf")))
        if time.monotonic() - made_s < self._probe.text_age_s:
            return Reply(200, kind, text)
        self._on_scrape()
        pieces: list[str] = []
        began_s = time.perf_counter()
        for piece in self._exposition.pieces(is_open=is_open):
            pieces.append(piece)
            if time.perf_counter() - began_s >= SLICE_S:
                await asyncio.sleep(0)
                began_s = time.perf_counter()
        text = "".join(pieces).encode()
        self._texts[is_open] = text, time.monotonic()
        return Reply(200, kind, text)

    async def _health(self, request: Request) -> Reply:
        components = self._probe.components()
        state = worst(components)
        report = {
            "status": state.name.lower(),
            "live": self._probe.is_live(),
            "ready": self._probe.is_ready(),
            "components": [component.to_dict() for component in components],
            **self._probe.details(),
        }
        return _json(report, is_good=state is not State.FAILED)

    async def _live(self, request: Request) -> Reply:
        is_live = self._probe.is_live()
        return _json({"live": is_live}, is_good=is_live)

    async def _ready(self, request: Request) -> Reply:
        is_ready = self._probe.is_ready()
        return _json({"ready": is_ready}, is_good=is_ready)

    async def _book(self, request: Request) -> Reply:
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        try:
            answer = {} if self._on_book is None else self._on_book(query)
        except (KeyError, ValueError, RuntimeError) as error:
            text = json.dumps({"error": str(error.args[0])})
            return Reply(404, JSON, text.encode())
        return _json(answer, is_good=True)

    async def _emergency(self, request: Request) -> Reply:
        given = parse_qs(request.query).get("reason", [""])[0]
        if self._on_emergency is not None:
            self._on_emergency(given or "asked for by `tickwire emergency`")
        return _json({"emergency": True, "pid": os.getpid()}, is_good=True)


def _json(value: dict[str, Any], *, is_good: bool) -> Reply:
    return Reply(200 if is_good else 503, JSON, json.dumps(value).encode())


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone, or its folder is: the next start replaces it
        path.unlink()
