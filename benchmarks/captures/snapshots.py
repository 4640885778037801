"""The REST answers of a capture, for books that need their snapshots."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from tickwire.capture import Capture

HOST = "127.0.0.1"


class SnapshotServer(ThreadingHTTPServer):
    """Answers with the snapshots of a capture, by path and symbol.

    As a context manager it serves in a thread; otherwise its owner calls `serve_forever`.

    Parameters
    ----------
    path
        Of the capture.
    """

    daemon_threads = True

    def __init__(self, path: str | Path) -> None:
        super().__init__((HOST, 0), _Request)
        self.n_answered = 0
        self.bodies = {place_of(answer.url): answer.data for answer in Capture.open(path).answers()}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.server_address[1]}"

    def __enter__(self) -> SnapshotServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    """One request for a snapshot."""

    server: SnapshotServer

    def do_GET(self) -> None:
        body = self.server.bodies.get(place_of(self.path))
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
        self.server.n_answered += 1

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def place_of(url: str) -> tuple[str, str]:
    """Give path and symbol of a request for a snapshot."""
    parts = urlsplit(url)
    return parts.path, parse_qs(parts.query).get("symbol", [""])[0]
