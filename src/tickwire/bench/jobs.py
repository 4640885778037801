"""What can be measured, and the job of one run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from tickwire.bench.cases import Amount, Case
from tickwire.bench.processes import Receive

EMPTY = "picows, empty callback"
RECV = "recv alone"
BASELINES = (EMPTY, RECV)
TICKWIRE = ("tickwire[protocol]", "tickwire[stream]", "tickwire[picows]")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline that can be measured.

    Parameters
    ----------
    name
        As in the results.
    receive
        What runs it, in a process of its own: it takes a job, and reports the run's figures.
    is_slow
        It makes Python objects, and gets fewer messages.
    """

    name: str
    receive: Receive
    is_slow: bool = False

    def amount(self, case: Case) -> Amount:
        """Give how many messages a run has."""
        return case.slow if self.is_slow else case.fast


@dataclass(frozen=True, slots=True)
class Endpoint:
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
class Job:
    """What a receiver is to do in one run.

    Parameters
    ----------
    pipeline
        By name.
    case
        What is sent.
    endpoints
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
    endpoints: tuple[Endpoint, ...]
    n_warm: int
    n_main: int
    n_bytes: int
    answer: str = ""
    rest_url: str = ""
    ca_file: str | None = None

    @property
    def amount(self) -> Amount:
        """How many messages there are."""
        return Amount(self.n_warm, self.n_main)

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a client needs for TLS; None for plain."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
