"""What is sent: the cases, and how much of each a pipeline of its speed gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tickwire.sim.load import LoadSpec
from tickwire.sim.tape import Mix

# Channels as a configuration names them, and as Hyperliquid does.
VENUE_TYPES = {"trades": "trades", "quotes": "bbo", "book": "l2Book"}
ROWS_PER_MESSAGE = {"trades": 1, "quotes": 1, "book": 40}
SYMBOL = "BTC"


@dataclass(frozen=True, slots=True)
class Amount:
    """How many messages a run has.

    Parameters
    ----------
    n_warm
        Before the clock starts. For tickwire enough to fill its rings (262,144 rows a table) once:
        memory touched for the first time costs a page fault, which a feed that runs does not pay.
    n_main
        After it.
    """

    n_warm: int
    n_main: int

    @property
    def n_messages(self) -> int:
        """Both."""
        return self.n_warm + self.n_main


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of traffic.

    Parameters
    ----------
    name
        As in the results.
    mix
        What the load generator calls it.
    tables
        The tables that it feeds; channel and table have the same name here.
    fast, slow
        For compiled pipelines, and for those that make Python objects: each measures for about as
        long. Whole passes of the tape.
    tape_messages
        Different messages before the tape starts again with fresh trade ids.
    tls
        Over TLS, the server's certificate verified.
    """

    name: str
    mix: Mix
    tables: tuple[str, ...]
    fast: Amount
    slow: Amount
    tape_messages: int
    tls: bool = False

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Case:
        """Make it again from `dataclasses.asdict`, lists being tuples once more."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        values |= {name: Amount(**fields[name]) for name in ("fast", "slow")}
        return cls(**values)

    def of_messages(self, n_messages: int) -> Case:
        """Give the same case with about so many messages to measure, after one pass to warm up."""
        n_pass = min(self.tape_messages, n_messages)
        amount = Amount(n_pass, -(-n_messages // n_pass) * n_pass)
        return replace(self, fast=amount, slow=amount, tape_messages=n_pass)

    def spec(self, n_messages: int) -> LoadSpec:
        """Tell the load generator what to send."""
        return LoadSpec(
            self.mix,
            n_messages,
            tape_messages=self.tape_messages,
            n_requests=len(self.tables),
            coin=SYMBOL,
        )


CASES = {
    case.name: case
    for case in (
        Case(
            "trades/ws",
            "trades",
            ("trades",),
            Amount(300_000, 1_500_000),
            Amount(50_000, 300_000),
            10_000,
        ),
        Case(
            "trades/wss",
            "trades",
            ("trades",),
            Amount(300_000, 700_000),
            Amount(50_000, 300_000),
            10_000,
            tls=True,
        ),
        Case(
            "bbo/ws",
            "bbo",
            ("quotes",),
            Amount(300_000, 1_500_000),
            Amount(50_000, 300_000),
            10_000,
        ),
        Case("l2Book/ws", "book", ("book",), Amount(10_000, 150_000), Amount(5_000, 30_000), 1_000),
        Case(
            "mix/ws",
            "mix",
            ("trades", "quotes", "book"),
            Amount(900_000, 300_000),
            Amount(10_000, 100_000),
            2_000,
        ),
    )
}
