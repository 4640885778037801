"""The simulator's REST server: answers of the exchange or of a capture, as faults leave them."""

from __future__ import annotations

import asyncio
import ssl

from aiohttp import web

from tickwire.sim.connection import MAX_REQUEST_BYTES
from tickwire.sim.exchange import Exchange
from tickwire.sim.injector import Injector
from tickwire.sim.market import Symbol
from tickwire.sim.playback import RestAnswers
from tickwire.sim.rate_limits import RestLimits
from tickwire.sim.stats import Stats

REQUEST_S = 10.0  # for the body of a request


class RestServer:
    """Answers requests on a port of its own.

    Parameters
    ----------
    exchange, answers
        What is answered; a capture's answers come first.
    injector, stats
        The simulator's.
    """

    def __init__(
        self, exchange: Exchange, answers: RestAnswers | None, injector: Injector, stats: Stats
    ) -> None:
        self._exchange = exchange
        self._answers = answers
        self._injector = injector
        self._stats = stats
        self._runner: web.AppRunner | None = None
        self._is_listening = False
        self._stale: dict[str, Symbol] | None = None
        self.limits: RestLimits | None = None

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Open the port, and give its number."""
        application = web.Application(client_max_size=MAX_REQUEST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._on_request)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        if self._runner.server is not None:
            self.limits = RestLimits(self._runner.server)
        site = web.TCPSite(self._runner, host, port, ssl_context=context)
        await site.start()
        self._is_listening = True
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Close the port and every connection."""
        runner, self._runner, self.limits = self._runner, None, None
        if runner is not None:
            await runner.cleanup()
        self._is_listening = False

    @property
    def is_open(self) -> bool:
        """Whether the port is open."""
        return self._is_listening

    def look(self, now_s: float) -> None:
        """Close what has been idle for too long."""
        if self.limits is not None:
            self.limits.look(now_s)

    def keep_stale(self) -> None:
        """Take note of the books, where stale ones are to be served from now on."""
        if not self._injector.is_rest_stale:
            self._stale = None
        elif self._stale is None:
            symbols = self._exchange.market.symbols
            self._stale = {name: symbol.copy() for name, symbol in symbols.items()}

    async def _on_request(self, request: web.Request) -> web.Response:
        if self.limits is None:
            return await self._answer(request)
        with self.limits.serving(request.protocol):
            return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.Response:
        self._stats.rest_requests += 1
        for fault in self._injector.on_rest():
            if fault.status:
                headers = {"Retry-After": f"{float(fault.argument):g}"}
                body = '{"code":-1003,"msg":"Too many requests."}'
                return web.Response(
                    status=fault.status, text=body, headers=headers, content_type="application/json"
                )
            if fault.name == "rest-slow":
                await asyncio.sleep(float(fault.argument))
            elif fault.name == "rest-hang":
                await asyncio.Event().wait()
        try:
            async with asyncio.timeout(REQUEST_S):
                body = await request.text()
        except TimeoutError:
            return web.Response(status=408, text="too slow")
        except UnicodeDecodeError:
            return web.Response(status=400, text="not text")
        query = dict(request.query)
        if self._answers is not None:
            data = self._answers.next(request.path, query.get("symbol", ""))
            if data is not None:
                return web.Response(body=data, content_type="application/json")
        market = self._exchange.market
        symbols = market.symbols
        self.keep_stale()
        try:
            market.symbols = symbols if self._stale is None else self._stale
            answer = self._exchange.rest(request.method, request.path, query, body)
        finally:
            market.symbols = symbols
        if answer is None:
            return web.Response(status=404, text="not found")
        return web.Response(status=answer.status, text=answer.body, content_type="application/json")
