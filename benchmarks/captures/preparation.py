"""What cases of captures need before their runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from benchmarks.captures.answer import CaptureAnswer
from benchmarks.captures.cases import BINANCE_CONNECTIONS, BinanceCase, find_capture
from benchmarks.captures.full_speed import FullSpeedServer, FullSpeedSpec, write_frames

from tickwire.bench.cases import Case
from tickwire.bench.expected import Expected
from tickwire.bench.jobs import Endpoint
from tickwire.bench.senders import Preparation, Sending

PAUSE_AFTER = 5_000  # messages of the capture: by then each of its books has sent something


def prepare(case: Case) -> Preparation:
    """Give what a case needs before its runs."""
    return BinancePreparation(case) if isinstance(case, BinanceCase) else Preparation(case)


class BinancePreparation(Preparation):
    """What `BinanceCase` needs: frames and answer of its capture, each made once.

    Parameters
    ----------
    case
        Which.
    """

    case: BinanceCase
    has_snapshots: ClassVar[bool] = True

    def __init__(self, case: BinanceCase) -> None:
        super().__init__(case)
        self._read: tuple[int, CaptureAnswer] | None = None

    def _expected(self, n_messages: int, *, spliced: bool) -> Expected:
        """Read the capture once for both kinds of answer."""
        if self._read is None or self._read[0] != n_messages:
            venues = [venue for venue, _, _ in BINANCE_CONNECTIONS]
            self._read = n_messages, CaptureAnswer(self._capture(), n_messages, venues)
        return self._read[1].expected(spliced=spliced)

    @contextmanager
    def sending(
        self, n_messages: int, *, hang_up: bool = False, spliced: bool = False
    ) -> Iterator[Sending]:
        """Start a sender of the capture; it ends with the block."""
        spec = replace(
            self._full_speed(n_messages),
            n_snapshots=len(BINANCE_CONNECTIONS) if spliced else 0,
            hang_up=hang_up,
        )
        with FullSpeedServer(spec) as server:
            endpoints = tuple(
                Endpoint(
                    server.url_of(number) + path, venue, (symbol,), (subscribe_request(number),)
                )
                for number, (venue, path, symbol) in enumerate(BINANCE_CONNECTIONS)
            )
            yield Sending(server, endpoints, server.address.n_bytes, server.rest_url)

    def _full_speed(self, n_messages: int) -> FullSpeedSpec:
        """Make the capture's frames once."""
        spec = FullSpeedSpec(self._capture(), n_messages, PAUSE_AFTER)
        key = ("frames", n_messages, False)
        if key not in self._made:
            folder: Path = self._place(key)
            write_frames(spec, folder)
            self._made[key] = folder
        return replace(spec, frames=str(self._made[key]))

    def _capture(self) -> str:
        return str(find_capture(self.case.capture))


def subscribe_request(connection: int) -> str:
    """Give the request of one of the capture's connections, as Binance takes it."""
    venue, _, symbol = BINANCE_CONNECTIONS[connection]
    speed = "100ms" if venue == "binance" else "0ms"
    kinds = ("trade", "bookTicker", f"depth@{speed}")
    streams = [f"{symbol.lower()}@{kind}" for kind in kinds]
    return json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1})
