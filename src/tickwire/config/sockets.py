"""The sockets of a feed, in the folder of its state, which its user alone can open.

Rules of this file
------------------
- It imports next to nothing: commands that ask a feed start as quickly as they can.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tickwire.config.state_files import state_file

MAX_SOCKET_PATH_BYTES = 100  # the kernel takes 108 with an end


def health_socket(state_dir: Path, feed: str) -> Path:
    """Give the path of the socket where a feed says how it is."""
    return state_file(state_dir, feed, ".sock")


def query_socket(state_dir: Path, feed: str) -> Path:
    """Give the path of the socket of a feed's queries."""
    return state_file(state_dir, feed, ".query.sock")


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a path to bind or connect to; a long one by way of its folder's descriptor."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def bind_privately(listening: socket.socket, path: Path) -> None:
    """Bind a socket that its user alone can open; `listen` comes afterwards.

    Before it listens a connection is refused. The umask, which is every thread's, stays as it is.
    """
    with reachable(path) as short:
        listening.bind(short)
    path.chmod(0o600)
