"""The socket of queries: what other processes ask of a running feed.

Rules of this file
------------------
- All of it runs in threads of its own; the feed's loop does nothing for it.
- The socket is the user's alone (0600). One that a killed feed has left is replaced: the state's
  lock is this feed's.
- A query's thread has a low priority, so that the loop's thread and the sinks' get a processor
  first. Threads of callers (`feed.duckdb`) keep theirs: it could not be raised again.
- A client has one query. Whatever it sends, or does not take, ends it and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa

from tickwire.config.sockets import bind_privately
from tickwire.errors import TickwireError
from tickwire.logs import get_logger
from tickwire.serve.frames import (
    DATA,
    END,
    ERROR,
    FramesCut,
    receive_request,
    send_frame,
    send_json,
)
from tickwire.serve.queries import Queries
from tickwire.serve.requests import asked
from tickwire.serve.statements import QueryRefused

MAX_CLIENTS = 16
BACKLOG = 128  # beyond it a client gets no reason
REQUEST_S = 5.0
JOIN_S = 5.0
# A third of a usual thread's share. Much lower, and a thread that holds the GIL or a lock of DuckDB
# could wait for long while others wait for it.
NICE = 5
SEND_BYTES = 1 << 20  # what the kernel keeps for a client
_log = get_logger("tickwire.serve")


class QueryServer:
    """Answers queries at a socket.

    Parameters
    ----------
    queries
        What runs them.
    path
        Of the socket.
    """

    def __init__(self, queries: Queries, path: Path) -> None:
        self._queries = queries
        self._path = path
        self._listening: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._clients: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._is_stopped = False

    def start(self) -> None:
        """Listen; where that cannot be, a line in the log says why."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
            bind_privately(listening, self._path)
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            why = error.strerror or str(error)
            _log.warning("no socket for `tickwire query`", path=str(self._path), why=why)
            return
        self._listening = listening
        self._thread = threading.Thread(target=self._accept, name="query-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the queries and the connections; returns when no thread is left."""
        self._is_stopped = True
        if self._listening is not None:
            with contextlib.suppress(OSError):  # wakes the thread
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._queries.close()
        with self._lock:
            clients = dict(self._clients)
        for client in clients.values():
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in (self._thread, *clients):
            if thread is not None:
                thread.join(JOIN_S)

    def _accept(self) -> None:
        while not self._is_stopped and self._listening is not None:
            try:
                client, _ = self._listening.accept()
            except OSError as error:
                if self._is_stopped:
                    return
                _log.warning("a query's connection failed", error=str(error))
                threading.Event().wait(0.1)  # out of descriptors, perhaps
                continue
            thread = threading.Thread(
                target=self._serve, args=(client,), name="query-client", daemon=True
            )
            with self._lock:
                is_full = len(self._clients) >= MAX_CLIENTS
                if not is_full:
                    self._clients[thread] = client
            if is_full:
                self._queries.count_refused()
                with contextlib.suppress(OSError), client:
                    send_json(client, ERROR, {"kind": "error", "text": "too many queries at once"})
                continue
            try:
                thread.start()
            except RuntimeError as error:  # the process can have no more threads
                _log.warning("a query's connection failed", error=str(error))
                with self._lock:
                    del self._clients[thread]
                client.close()

    def _serve(self, client: socket.socket) -> None:
        _lower_priority()
        try:
            with client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
                self._answer(client)
        except OSError:
            pass  # it has gone
        except Exception as error:  # a thread's edge: no caller could see the error
            _log.error("a query failed in a way that is not known", error=repr(error))
        finally:
            with self._lock:
                self._clients.pop(threading.current_thread(), None)

    def _answer(self, client: socket.socket) -> None:
        began_s = monotonic()
        try:
            try:
                request = receive_request(client, REQUEST_S)
                sql, limits = asked(request)
            except (FramesCut, QueryRefused):
                self._queries.count_refused()
                raise
            answer = _Answer(client)
            n_rows = self._queries.run(sql, limits, answer.send)
            answer.end()
        except FramesCut as error:
            send_json(client, ERROR, {"kind": "refused", "text": str(error)})
        except TickwireError as error:
            kind = "refused" if isinstance(error, QueryRefused) else "error"
            send_json(client, ERROR, {"kind": kind, "text": str(error)})
        else:
            send_json(client, END, {"rows": n_rows, "seconds": monotonic() - began_s})


def _lower_priority() -> None:
    """Lower the priority of the calling thread; elsewhere than on Linux it would be the process."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may forbid it: queries run all the same
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + NICE)


class _Answer:
    """Rows as an Arrow IPC stream in frames."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._pieces = _Pieces()
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def send(self, batch: pa.RecordBatch, is_first: bool) -> None:
        """Send a batch."""
        if self._writer is None:
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._pieces, "w"), batch.schema)
        if not is_first:
            self._writer.write_batch(batch)
        self._flush()

    def end(self) -> None:
        """Send the end of the stream."""
        if self._writer is not None:
            self._writer.close()
        self._flush()

    def _flush(self) -> None:
        data = self._pieces.take()
        if data:
            send_frame(self._client, DATA, data)


class _Pieces:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: Any) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytearray:
        data, self._data = self._data, bytearray()
        return data

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
