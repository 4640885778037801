"""The sender that a case needs, and what is made once for all runs of a case."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from tickwire.bench.cases import VENUE_TYPES, Case
from tickwire.bench.expected import Expected
from tickwire.bench.fleet import FleetServer
from tickwire.bench.jobs import Endpoint
from tickwire.bench.load import LoadServer, LoadSpec, deflate_load
from tickwire.bench.sender import SenderProcess
from tickwire.bench.tape_answer import VENUE, expected_of_load


@dataclass(frozen=True, slots=True)
class Sending:
    """A sender that waits for its clients.

    Parameters
    ----------
    server
        Its process.
    endpoints
        The connections to make.
    n_bytes
        That it sends, frame headers included.
    rest_url
        Where snapshots are.
    ca_file
        The authority to trust, for TLS.
    """

    server: SenderProcess
    endpoints: tuple[Endpoint, ...]
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

    has_snapshots: ClassVar[bool] = False  # of books, by REST

    def __init__(self, case: Case) -> None:
        self.case = case
        self._folder = tempfile.TemporaryDirectory(prefix="tickwire-bench-")
        self._made: dict[tuple[str, int, bool], Path] = {}
        self._n_bytes: dict[LoadSpec, int] = {}

    def __enter__(self) -> Preparation:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def answer(self, n_messages: int, *, spliced: bool) -> str:
        """Give the folder of what must come out.

        Parameters
        ----------
        n_messages
            Of the whole load.
        spliced
            The receiver fetches snapshots of books, where there are any.
        """
        key = ("answer", n_messages, spliced and self.has_snapshots)
        if key not in self._made:
            folder = self._place(key)
            folder.mkdir()
            self._expected(n_messages, spliced=spliced).save(folder)
            self._made[key] = folder
        return str(self._made[key])

    def _expected(self, n_messages: int, *, spliced: bool) -> Expected:
        """Decode what will be sent, by the standard library; `spliced` as in `answer`."""
        return expected_of_load(self.case.spec(n_messages))

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
            endpoints = tuple(
                Endpoint(load.url, VENUE, symbols, _requests(case, symbols))
                for symbols in (part.coins or (part.coin,) for part in spec.parts())
            )
            yield Sending(load, endpoints, n_bytes, ca_file=ca_file)

    def n_bytes(self, spec: LoadSpec) -> int:
        """Give the bytes of a whole load; ids have the same number of digits in every pass."""
        once = replace(spec, n_messages=spec.tape_messages, hang_up=False, tls_folder="")
        if once not in self._n_bytes:
            self._n_bytes[once] = sum(len(part.record().data) for part in once.parts())
        return self._n_bytes[once] * (spec.n_messages // spec.tape_messages)

    def _deflated(self, spec: LoadSpec) -> Path:
        key = ("deflated", spec.n_messages, False)
        if key not in self._made:
            self._made[key] = self._place(key)
            deflate_load(spec, self._made[key])
        return self._made[key]

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
