"""What a simulator sent, as JSON lines: the truth to compare a feed's tables with.

Rules of this file
------------------
- Every message that the market made is a line, numbered, whether or not a connection got it: `to`
  lists those that did. What a fault left out or damaged on a connection is under `struck`.
- A message counts as sent when it was handed to the kernel's side. At a connection's end, `unsure`
  lists the messages of which the other side had not acknowledged every byte, and those behind a
  frame that breaks the protocol, which no client reads.
- Lines are buffered; `flush` is called every second and at the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tickwire.errors import TickwireError
from tickwire.sim.exchange import Exchange, Message

BUFFER_BYTES = 1 << 20
# Faults that a message survives.
WHOLE = frozenset(("repeat", "reorder", "break-sequence"))


class TruthLog:
    """Writes the log of one simulator.

    Parameters
    ----------
    path
        The file; an older one is replaced.
    exchange
        Knows the ids in its messages.

    Raises
    ------
    TickwireError
        Where it cannot be written.
    """

    def __init__(self, path: Path, exchange: Exchange) -> None:
        try:
            self._file = path.open("w", encoding="utf-8", buffering=BUFFER_BYTES)
        except OSError as error:
            raise TickwireError(f"cannot write {path}: {error.strerror or error}") from None
        self._exchange = exchange
        self._streams: dict[str, str] = {}
        self.number = 0

    def event(self, name: str, **values: Any) -> None:
        """Write what happened."""
        line = {"event": name, "time_ns": time.time_ns()} | values
        self._file.write(json.dumps(line) + "\n")

    def message(self, message: Message, given: Mapping[int, str]) -> None:
        """Write a message under the present number.

        Parameters
        ----------
        message
            What the market made.
        given
            The connections that it was for, and the fault that struck it there.
        """
        key = message.key
        stream = self._streams.get(key)
        if stream is None:
            _, symbol = self._exchange.stream_of(key)
            stream = json.dumps({"table": message.channel, "symbol": symbol, "key": key})[1:-1]
            self._streams[key] = stream
        ids = '","'.join(self._exchange.ids_of(message))
        ids = f'"{ids}"' if ids else ""
        struck = {number: fault for number, fault in given.items() if fault}
        end = f',"struck":{json.dumps(struck)}' if struck else ""
        to = ",".join([str(n) for n, fault in given.items() if not fault or fault in WHOLE])
        self._file.write(
            f'{{"event":"message","time_ns":{time.time_ns()},"number":{self.number},{stream},'
            f'"rows":{message.n_rows},"ids":[{ids}],"to":[{to}]{end}}}\n'
        )

    def flush(self) -> None:
        """Write what is buffered."""
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()
