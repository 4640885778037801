"""An exchange made of another library: plays messages to its subscribers, serves snapshots.

It shares no code with tickwire, so that the two cannot be wrong together.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

FIRST_S = 30.0
QUIET_S = 0.2  # no subscribe request for so long: they have all come


def hyperliquid_answer(request: dict[str, Any]) -> str | None:
    """Acknowledge a subscription; a ping gets its pong."""
    if request.get("method") == "ping":
        return '{"channel":"pong"}'
    return json.dumps({"channel": "subscriptionResponse", "data": request})


def answering(n_requests: int) -> Callable[[dict[str, Any]], str | None]:
    """Acknowledge so many subscriptions, and then no more."""
    n_left = n_requests

    def answer(request: dict[str, Any]) -> str | None:
        nonlocal n_left
        n_left -= request.get("method") == "subscribe"
        return hyperliquid_answer(request) if n_left >= 0 else None

    return answer


def binance_answer(request: dict[str, Any]) -> str | None:
    """Acknowledge a request."""
    return json.dumps({"result": None, "id": request["id"]})


def hyperliquid_refusal(request: dict[str, Any]) -> str | None:
    """Refuse every subscription."""
    return json.dumps(
        {"channel": "error", "data": f"Invalid subscription {json.dumps(request['subscription'])}"}
    )


class Exchange:
    """What it plays, and what it saw.

    Parameters
    ----------
    plays
        The messages of the first, second ... connection; later ones play the last again. A
        connection is closed after its messages if another one is to come. They are sent as they
        are iterated, on the connection's thread.
    answer
        Answers a request of the client.
    snapshots
        Symbol to the body of its REST snapshot.
    n_requests
        So many are waited for, however slow the client is; others are, while they come quickly.

    Attributes
    ----------
    serves_snapshots
        A snapshot that is asked for while this is not set comes when it is.
    """

    def __init__(
        self,
        plays: Sequence[Iterable[bytes]],
        answer: Any,
        snapshots: Mapping[str, bytes] | None = None,
        n_requests: int = 1,
    ) -> None:
        self.plays = plays
        self.answer = answer
        self.snapshots = dict(snapshots or {})
        self.n_requests = n_requests
        self.n_connections = 0
        self.played = threading.Event()
        self.serves_snapshots = threading.Event()
        self.serves_snapshots.set()
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []  # of the connections
        self.headers: list[Mapping[str, str]] = []  # likewise
        self.ws_url = ""
        self.rest_url = ""
        self._lock = threading.Lock()

    def on_connection(self, connection: ServerConnection) -> None:
        with self._lock:
            number = self.n_connections
            self.n_connections += 1
            assert connection.request is not None
            self.paths.append(connection.request.path)
            self.headers.append(connection.request.headers)
        with suppress(ConnectionClosed):
            self._answer_all(connection)
            for payload in self.plays[min(number, len(self.plays) - 1)]:
                connection.send(payload, text=True)
            if number + 1 < len(self.plays):
                connection.close(1001)
                return
            self.played.set()
            while True:
                self._reply(connection, connection.recv())

    def _answer_all(self, connection: ServerConnection) -> None:
        with suppress(TimeoutError):
            for number in count(1):
                timeout_s = FIRST_S if number <= self.n_requests else QUIET_S
                self._reply(connection, connection.recv(timeout_s))

    def _reply(self, connection: ServerConnection, text: str | bytes) -> None:
        request = json.loads(text)
        self.requests.append(request)
        answer = self.answer(request)
        if answer is not None:
            connection.send(answer)


@contextmanager
def exchange(
    plays: Sequence[Iterable[bytes]],
    answer: Any = hyperliquid_answer,
    snapshots: Mapping[str, bytes] | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    n_requests: int = 1,
) -> Iterator[Exchange]:
    """Serve an exchange, on a port of the system's choice; its REST side is never TLS."""
    made = Exchange(plays, answer, snapshots, n_requests)
    with ExitStack() as stack:
        server = stack.enter_context(
            serve(
                made.on_connection,
                "127.0.0.1",
                port,
                compression=None,
                max_size=None,
                ping_interval=None,
                ssl=tls,
            )
        )
        stack.callback(_run(server))
        scheme = "ws" if tls is None else "wss"
        made.ws_url = f"{scheme}://127.0.0.1:{server.socket.getsockname()[1]}"
        made.rest_url = stack.enter_context(_rest(made))
        yield made


def _run(server: Server) -> Any:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join()

    return stop


@contextmanager
def _rest(made: Exchange) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            symbol = parse_qs(urlsplit(self.path).query).get("symbol", [""])[0]
            made.serves_snapshots.wait(30)
            body = made.snapshots.get(symbol)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        # How often it looks for its end, s: so long a test lasts on.
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
