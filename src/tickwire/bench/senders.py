"""The sender that a case needs, and what is made once for all runs of a case."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tickwire.bench.capture_answer import CaptureAnswer
from tickwire.bench.cases import CAPTURE_LINKS, VENUE_TYPES, Case, find_capture
from tickwire.bench.orders import Link
from tickwire.bench.tape_answer import VENUE, expected_of_load
from tickwire.sim.fleet import FleetServer
from tickwire.sim.load import LoadServer, LoadSpec, deflate_load
from tickwire.sim.outpour import OutpourServer, OutpourSpec, write_frames
from tickwire.sim.sender import SenderProcess

PAUSE_AFTER = 5_000  # messages of the capture: by then each of its books has sent something


@dataclass(frozen=True, slots=True)
class Sending:
    """A sender that waits for its clients.

    Parameters
    ----------
    server
        Its process.
    links
        The connections to make.
    n_bytes
        That it sends, frame headers included.
    rest_url
        Where snapshots are.
    ca_file
        The authority to trust, for TLS.
    """

    server: SenderProcess
    links: tuple[Link, ...]
    n_bytes: int
    rest_url: str = ""
    ca_file: str | None = None


class Preparation:
    """What a case needs before its runs; a context manager, as it owns a folder.

    Parameters
    ----------
    case
        Which.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self._folder = tempfile.TemporaryDirectory(prefix="tickwire-bench-")
        self._made: dict[tuple[str, int, bool], Path] = {}
        self._read: tuple[int, CaptureAnswer] | None = None
        self._n_bytes: dict[LoadSpec, int] = {}

    def __enter__(self) -> Preparation:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def answer(self, n_messages: int, *, spliced: bool) -> str:
        """Give the folder of what must come out."""
        case = self.case
        is_binance = case.mix == "binance"
        key = ("answer", n_messages, spliced and is_binance)
        if key not in self._made:
            folder = self._place(key)
            folder.mkdir()
            if is_binance:
                expected = self._answer_of_binance(n_messages).expected(spliced=spliced)
            else:
                expected = expected_of_load(case.spec(n_messages))
            expected.save(folder)
            self._made[key] = folder
        return str(self._made[key])

    @contextmanager
    def sending(
        self, n_messages: int, *, hang_up: bool = False, spliced: bool = False
    ) -> Iterator[Sending]:
        """Start a sender; it ends with the block.

        Parameters
        ----------
        n_messages
            Of the whole load.
        hang_up
            End the connections once all is sent.
        spliced
            The receiver fetches snapshots of books, where there are any.
        """
        case = self.case
        with ExitStack() as stack:
            if case.mix == "binance":
                outpour = replace(
                    self._outpour(n_messages),
                    n_snapshots=len(CAPTURE_LINKS) if spliced else 0,
                    hang_up=hang_up,
                )
                server = stack.enter_context(OutpourServer(outpour))
                links = tuple(
                    Link(server.url_of(number) + path, venue, (symbol,), (_streams(symbol, venue),))
                    for number, (venue, path, symbol) in enumerate(CAPTURE_LINKS)
                )
                yield Sending(server, links, server.address.n_bytes, server.rest_url)
                return
            spec = replace(case.spec(n_messages), hang_up=hang_up)
            ca_file = None
            if case.tls:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                spec, ca_file = replace(spec, tls_folder=folder), str(Path(folder) / "ca.pem")
            n_bytes = self.n_bytes(spec)
            if case.deflated:
                file = self._deflated(spec)
                spec, n_bytes = replace(spec, deflated=str(file)), file.stat().st_size
            kind = FleetServer if case.n_connections > 1 else LoadServer
            load = stack.enter_context(kind(spec))
            links = tuple(
                Link(load.url, VENUE, symbols, _requests(case, symbols))
                for symbols in (part.coins or (part.coin,) for part in spec.parts())
            )
            yield Sending(load, links, n_bytes, ca_file=ca_file)

    def n_bytes(self, spec: LoadSpec) -> int:
        """Give the bytes of a whole load; ids have the same number of digits in every pass."""
        once = replace(spec, n_messages=spec.tape_messages, hang_up=False, tls_folder="")
        if once not in self._n_bytes:
            self._n_bytes[once] = sum(len(part.record().data) for part in once.parts())
        return self._n_bytes[once] * (spec.n_messages // spec.tape_messages)

    def _answer_of_binance(self, n_messages: int) -> CaptureAnswer:
        """Read the capture once for both kinds of answer."""
        if self._read is None or self._read[0] != n_messages:
            venues = [venue for venue, _, _ in CAPTURE_LINKS]
            self._read = n_messages, CaptureAnswer(self._capture(), n_messages, venues)
        return self._read[1]

    def _outpour(self, n_messages: int) -> OutpourSpec:
        """Make the capture's frames once."""
        spec = OutpourSpec(self._capture(), n_messages, PAUSE_AFTER)
        key = ("frames", n_messages, False)
        if key not in self._made:
            write_frames(spec, self._place(key))
            self._made[key] = self._place(key)
        return replace(spec, frames=str(self._made[key]))

    def _deflated(self, spec: LoadSpec) -> Path:
        key = ("deflated", spec.n_messages, False)
        if key not in self._made:
            self._made[key] = self._place(key)
            deflate_load(spec, self._made[key])
        return self._made[key]

    def _capture(self) -> str:
        return str(find_capture(self.case.capture))

    def _place(self, key: tuple[str, int, bool]) -> Path:
        return Path(self._folder.name) / "-".join(str(word) for word in key)


def _requests(case: Case, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Give the subscribe requests, as Hyperliquid takes them."""
    return tuple(
        json.dumps(
            {
                "method": "subscribe",
                "subscription": {"type": VENUE_TYPES[table], "coin": symbol},
            }
        )
        for table in case.tables
        for symbol in symbols
    )


def _streams(symbol: str, venue: str) -> str:
    """Give the subscribe request, as Binance takes it."""
    speed = "100ms" if venue == "binance" else "0ms"
    streams = [f"{symbol.lower()}@{kind}" for kind in ("trade", "bookTicker", f"depth@{speed}")]
    return json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1})
