"""The simulator: one WebSocket and one REST server over an exchange and its data.

Rules of this file
------------------
- Everything runs in one event loop, so a REST snapshot is the book exactly as it stands between two
  events.
- With a fixed port the REST server has the next one; with port 0 both are the system's choice.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from picows import (
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from tickwire.capture import Capture
from tickwire.errors import TickwireError
from tickwire.sim.authority import server_context
from tickwire.sim.chaos import EVERY_S, storm
from tickwire.sim.client_log import ClientLog
from tickwire.sim.connection import MAX_REQUEST_BYTES, Connection
from tickwire.sim.declared import Declared
from tickwire.sim.dialects import SPEAKS, check, fault_of
from tickwire.sim.exchange import CHANNELS, Client
from tickwire.sim.faults import Fault
from tickwire.sim.injector import TICK_S, Injector
from tickwire.sim.instruments import DEFAULT_SYMBOLS, HYPERLIQUID
from tickwire.sim.market import Market, wall_ms
from tickwire.sim.market_driver import MarketDriver
from tickwire.sim.playback import CaptureDriver, RestAnswers, Route, Speed
from tickwire.sim.rest import RestServer
from tickwire.sim.stats import Stats
from tickwire.sim.truth_log import TruthLog
from tickwire.sim.upgrade import Answer, Refusal

IDLE_CLOSE_S = 60.0
MAX_CONNECTIONS = 1024
HANDSHAKE_S = 5.0  # for a client to send its whole request
TLS_HANDSHAKE_S = 10.0


class Simulator:
    """An exchange to connect to; an async context manager.

    Parameters
    ----------
    venue
        One of `VENUES`; for a capture any venue, also `package.module:NAME`.
    host, port
        Where it listens; port 0 lets the system choose.
    rate
        Data messages per second in total; 0 sends as fast as the clients take them.
    symbols
        The venue's own; earlier ones are busier. None for the venue's default.
    channels
        Those that it serves, by the configuration's names without arguments; None for all.
    seed
        Of the synthetic market.
    capture
        Send this file instead of a market.
    speed
        Of the capture: a factor, or `max`.
    route
        Which connection gets which message of the capture; see `CaptureDriver`.
    tls
        Serve TLS, with an authority made for this run (`ca_file`).
    stamp
        Trade ids are the wall clock in ns at sending, one more where equal.
    limit
        Stop after this many messages of the market; 0 for never.
    faults
        What goes wrong on purpose, as `tickwire.sim.faults` reads it; also later, by `inject`.
    chaos
        Seed of a storm of faults; None for none. `chaos_every_s` is from one to the next.
    log
        A file that gets everything sent, as JSON lines.
    greeting
        Text sent first on every connection.
    ping_every_s
        Between ping frames to a client; None for the venue's own.
    clients
        Gets every change of a client; None: nothing does.
    """

    def __init__(
        self,
        venue: str = "hyperliquid",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rate: float = 1000.0,
        symbols: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        seed: int = 0,
        capture: Path | str | None = None,
        speed: Speed = 1.0,
        route: Route = "all",
        tls: bool = False,
        stamp: bool = False,
        limit: int = 0,
        faults: Sequence[str | Fault] = (),
        chaos: int | None = None,
        chaos_every_s: float = EVERY_S,
        log: Path | str | None = None,
        greeting: str | None = None,
        ping_every_s: float | None = None,
        clients: ClientLog | None = None,
    ) -> None:
        check(venue, rate, channels, speed, plays=capture is not None)
        self.venue = venue
        self.stats = Stats()
        given = [fault_of(venue, fault) for fault in faults]
        self.ws_url = self.rest_url = ""
        self.ca_file: Path | None = None
        self._host, self._port, self._tls = host, port, tls
        self._capture = Capture.open(capture) if capture is not None else None
        self._answers = RestAnswers(self._capture) if self._capture else None
        self._rate, self._limit, self._speed, self._route = rate, limit, speed, route
        names = () if self._capture else tuple(symbols or DEFAULT_SYMBOLS[venue])
        weather = None if chaos is None else storm(chaos, venue, names, chaos_every_s)
        self._injector = Injector(given, weather, chaos or seed, self.stats.faults)
        self.market = Market(venue, names, seed, stamp=stamp, clock_ms=self._clock_ms)
        speaks = SPEAKS.get(venue, Declared)
        self.exchange = speaks(
            venue,
            self.market,
            [channel.partition(":")[0] for channel in channels or CHANNELS],
            self._injector.on_subscribe,
            live=self._capture is None,
            greeting=greeting,
        )
        self._log_path = Path(log) if log is not None else None
        self._truth: TruthLog | None = None
        self._clients = clients
        self._ping_every_s = ping_every_s or self.exchange.ping_every_s
        self._connections: dict[Connection, None] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._n_accepted = 0
        self._server: asyncio.Server | None = None
        self._context: ssl.SSLContext | None = None
        self._rest = RestServer(self.exchange, self._answers, self._injector, self.stats)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Simulator:
        if self._log_path is not None:
            self._truth = self._injector.truth = TruthLog(self._log_path, self.exchange)
            symbols = [*self.market.symbols]
            self._truth.event("start", venue=self.venue, symbols=symbols, rate=self._rate)
        self._driver: MarketDriver | CaptureDriver = (
            CaptureDriver(self._capture, self.exchange, self._speed, self._route)
            if self._capture
            else MarketDriver(self.exchange, self._rate, self._limit, self._injector, self._truth)
        )
        try:
            await self._listen()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._tasks = [
            asyncio.create_task(self._driver.run()),
            asyncio.create_task(self._keep_house()),
            asyncio.create_task(self._strike()),
        ]
        self._injector.start()
        return self

    async def _listen(self) -> None:
        if self._tls:
            self._folder = tempfile.TemporaryDirectory(prefix="tickwire-sim-")
            self._context, self.ca_file = server_context(self._host, Path(self._folder.name))
        ws_port = await self._listen_for_clients(self._port)
        wanted = ws_port + 1 if self._port else 0
        with _naming(self._host, wanted):
            rest_port = await self._rest.listen(self._host, wanted, self._context)
        self._ports = ws_port, rest_port
        end = "s" if self._context else ""
        self.ws_url = f"ws{end}://{self._host}:{ws_port}"
        self.rest_url = f"http{end}://{self._host}:{rest_port}"

    async def _listen_for_clients(self, port: int) -> int:
        with _naming(self._host, port):
            self._server = await ws_create_server(
                self._accept,
                self._host,
                port,
                ssl=self._context,
                max_frame_size=MAX_REQUEST_BYTES,
                enable_auto_pong=False,
                websocket_handshake_timeout=HANDSHAKE_S,
                ssl_handshake_timeout=TLS_HANDSHAKE_S if self._context else None,
            )
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        self.disconnect_all()
        await asyncio.sleep(0)
        await self._rest.close()
        if self._truth is not None:
            self._truth.close()
        if self._folder is not None:
            self._folder.cleanup()
        for result in results:
            if isinstance(result, Exception):
                raise result

    @property
    def connections(self) -> list[Connection]:
        """The clients that are connected now."""
        return [connection for connection in self._connections if connection.is_open]

    def disconnect_all(self, code: int | None = 1001) -> None:
        """End every connection, with a close frame, or without a word where `code` is None."""
        for connection in self.connections:
            if code is None:
                connection.abort()
            else:
                connection.close(code)

    def inject(self, fault: str | Fault) -> None:
        """Let something go wrong; its times count from now.

        Parameters
        ----------
        fault
            As `tickwire.sim.faults` reads it, such as `reset` or `mute=BTC@0s..2s`.

        Raises
        ------
        ConfigError
            It is none.
        """
        self._injector.add(fault_of(self.venue, fault))
        self._injector.tick(self.connections)

    def pause(self) -> None:
        """Send no data; requests are still answered."""
        self._driver.pause(True)

    def resume(self) -> None:
        """Send data again."""
        self._driver.pause(False)

    def send_text(self, text: str) -> None:
        """Send a text message to every client."""
        for connection in self.connections:
            connection.queue(text.encode())
            connection.flush()

    async def failure(self) -> None:
        """Wait until something fails that is not a client's fault, and raise it."""
        await asyncio.gather(*self._tasks)
        await asyncio.Event().wait()

    async def finished(self) -> None:
        """Wait until the limit is reached, or every capture is played that was begun."""
        await self._driver.finished.wait()

    def _accept(
        self, request: WSUpgradeRequest
    ) -> Connection | WSUpgradeResponseWithListener | None:
        if len(self._connections) >= MAX_CONNECTIONS:
            self.stats.refused["too many connections"] += 1
            return None
        number, self._n_accepted = self._n_accepted, self._n_accepted + 1
        fault = self._injector.on_upgrade(number)
        if fault is not None and fault.status:
            wait = {"Retry-After": f"{float(fault.argument):g}"} if fault.argument else None
            refusal = WSUpgradeResponse.create_error_response(fault.status, b"", wait)
            return WSUpgradeResponseWithListener(refusal, None)
        if fault is not None and fault.name != "byte-by-byte":
            return WSUpgradeResponseWithListener(Answer(fault), Refusal(fault))
        answer = Answer(fault) if fault is not None else None
        url = urlsplit(request.path.decode("latin-1"))
        client = Client(url.path, number)
        # Stream names hold "@" and "/", never "+": a plus is not a space here.
        query = dict(parse_qsl(url.query.replace("+", "%2B")))
        reaction = self.exchange.accept(url.path, query, client)
        if reaction is None:
            return None
        connection = Connection(
            self.exchange,
            client,
            self.stats,
            self._injector,
            self._on_change,
            reaction,
            self._truth,
            answer,
        )
        self._connections[connection] = None
        return connection if answer is None else WSUpgradeResponseWithListener(answer, connection)

    def _on_change(self, connection: Connection) -> None:
        if not connection.is_open:
            self._connections.pop(connection, None)
        if self._clients is not None:
            self._clients.on_change(connection)
        self.stats.subscriptions = sum(len(one.client.keys) for one in self._connections)
        self._driver.refresh(self._connections)

    async def _keep_house(self) -> None:
        """Ping every client in turn, and close those that got nothing for a minute."""
        pinged_s = time.monotonic()
        while True:
            await asyncio.sleep(min(1.0, self._ping_every_s))
            now_s = time.monotonic()
            self._rest.look(now_s)
            if self._truth is not None:
                self._truth.flush()
            if now_s - pinged_s >= self._ping_every_s:
                pinged_s = now_s
                for connection in self.connections:
                    connection.ping(str(time.time_ns()).encode())
            for connection in self.connections:
                connection.beat()
                if now_s - connection.last_sent_s > IDLE_CLOSE_S and self.venue in HYPERLIQUID:
                    connection.close(1000, "Inactive")

    def _clock_ms(self) -> int:
        return wall_ms() + self._injector.skew_ms

    async def _strike(self) -> None:
        """Let the faults happen whose time has come, and close and open the ports as they say."""
        injector = self._injector
        while True:
            await asyncio.sleep(TICK_S)
            if not injector.has_faults:
                continue
            injector.tick(self.connections)
            self._rest.keep_stale()
            if injector.is_down:
                for connection in self.connections:
                    connection.reset("down")
            is_open = not (injector.is_down or injector.is_refusing)
            if is_open and self._server is None:
                await self._listen_for_clients(self._ports[0])
            elif not is_open and self._server is not None:
                self._server.close()
                self._server = None
            is_open = not (injector.is_down or injector.is_rest_dead)
            if is_open and not self._rest.is_open:
                await self._rest.listen(self._host, self._ports[1], self._context)
            elif not is_open and self._rest.is_open:
                await self._rest.close()


@contextmanager
def _naming(host: str, port: int) -> Iterator[None]:
    """Name the port that cannot be had."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise TickwireError(f"cannot listen on {host}:{port}: {why}") from None
