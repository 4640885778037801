"""What can be measured, and what a worker is told to do."""

from __future__ import annotations

import json
import ssl
from dataclasses import asdict, dataclass

from tickwire.bench.cases import Amount, Case

EMPTY = "picows, empty callback"
RECV = "recv alone"
YARDSTICKS = (EMPTY, RECV)
TICKWIRE = ("tickwire[protocol]", "tickwire[stream]", "tickwire[picows]")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline that can be measured.

    Parameters
    ----------
    name
        As in the results.
    module
        What runs it: `python -m` this, with an order.
    is_slow
        It makes Python objects, and gets fewer messages.
    """

    name: str
    module: str = "tickwire.bench.worker"
    is_slow: bool = False

    def amount(self, case: Case) -> Amount:
        """Give how many messages a run has."""
        return case.slow if self.is_slow else case.fast


PIPELINES = tuple(Pipeline(name) for name in (*TICKWIRE, *YARDSTICKS))


@dataclass(frozen=True, slots=True)
class Link:
    """One connection to make.

    Parameters
    ----------
    url
        Where to.
    venue
        Whose protocol it speaks.
    symbols
        That it brings.
    requests
        Texts to send first.
    """

    url: str
    venue: str
    symbols: tuple[str, ...]
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do.

    Parameters
    ----------
    pipeline
        By name.
    case
        What is sent.
    links
        The connections to make.
    n_warm, n_main
        How many messages there are before the clock starts, and after.
    n_bytes
        Of the whole load, frame headers included.
    answer
        The folder of what must come out.
    rest_url
        Where snapshots are.
    ca_file
        The authority to trust, for TLS.
    """

    pipeline: str
    case: Case
    links: tuple[Link, ...]
    n_warm: int
    n_main: int
    n_bytes: int
    answer: str = ""
    rest_url: str = ""
    ca_file: str | None = None

    def to_json(self) -> str:
        """Give it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        """Read it from text."""
        fields = json.loads(text)
        links = tuple(
            Link(link["url"], link["venue"], tuple(link["symbols"]), tuple(link["requests"]))
            for link in fields["links"]
        )
        return cls(**fields | {"case": Case.from_dict(fields["case"]), "links": links})

    @property
    def amount(self) -> Amount:
        """How many messages there are."""
        return Amount(self.n_warm, self.n_main)

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a client needs for TLS; None for plain."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
