"""What is sent: the cases, and how much of each a pipeline of its speed gets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tickwire.bench.load import LoadSpec
from tickwire.bench.tape import Mix

# Channels as a configuration names them, and as Hyperliquid does.
VENUE_TYPES = {"trades": "trades", "quotes": "bbo", "book": "l2Book"}
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
    n_symbols, n_connections
        How many; the connections share the symbols.
    deflated
        With permessage-deflate.
    """

    name: str
    mix: Mix
    tables: tuple[str, ...]
    fast: Amount
    slow: Amount
    tape_messages: int = 10_000
    tls: bool = False
    n_symbols: int = 1
    n_connections: int = 1
    deflated: bool = False

    def of_messages(self, n_messages: int) -> Case:
        """Give the same case with about so many messages to measure, after one pass to warm up."""
        # Each connection has a whole number of messages, each symbol at least one.
        step = self.n_symbols * self.n_connections
        n_pass = -(-min(self.tape_messages, n_messages) // step) * step
        amount = Amount(n_pass, -(-n_messages // n_pass) * n_pass)
        return replace(self, fast=amount, slow=amount, tape_messages=n_pass)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those that the load generator has; names are of the same length however many."""
        if self.n_symbols == 1:
            return (SYMBOL,)
        return tuple(f"C{number:03d}" for number in range(self.n_symbols))

    def spec(self, n_messages: int) -> LoadSpec:
        """Tell the load generator what to send."""
        return LoadSpec(
            self.mix,
            n_messages,
            tape_messages=self.tape_messages,
            n_requests=len(self.tables) * self.n_symbols // self.n_connections,
            coin=SYMBOL,
            coins=self.symbols if self.n_symbols > 1 else (),
            n_connections=self.n_connections,
        )


_TRADES = Case(
    "trades/ws",
    "trades",
    ("trades",),
    Amount(300_000, 1_200_000),
    Amount(20_000, 200_000),
)
_BOOKS = Case(
    "l2Book/ws",
    "book",
    ("book",),
    Amount(10_000, 150_000),
    Amount(5_000, 30_000),
    tape_messages=1_000,
)
_WIDE = replace(_TRADES, fast=Amount(320_000, 960_000), slow=Amount(25_600, 192_000))

CASES = {
    case.name: case
    for case in (
        _TRADES,
        replace(_TRADES, name="trades/wss", fast=Amount(300_000, 700_000), tls=True),
        replace(_TRADES, name="bbo/ws", mix="bbo", tables=("quotes",)),
        _BOOKS,
        Case(
            "mix/ws",
            "mix",
            ("trades", "quotes", "book"),
            Amount(900_000, 300_000),
            Amount(10_000, 100_000),
            tape_messages=2_000,
        ),
        *(
            replace(
                _WIDE,
                name=f"trades/ws, {n} connection{'s' * (n > 1)}",
                tape_messages=12_800,
                n_symbols=n,  # one each, so that only the number of connections differs
                n_connections=n,
            )
            for n in (1, 8, 64)
        ),
        *(replace(_TRADES, name=f"trades/ws, {n:,} symbols", n_symbols=n) for n in (10, 1_000)),
        replace(
            _TRADES,
            name="trades/ws+deflate",
            fast=Amount(50_000, 200_000),
            slow=Amount(20_000, 100_000),
            deflated=True,
        ),
        replace(
            _BOOKS,
            name="l2Book/ws+deflate",
            fast=Amount(10_000, 50_000),
            slow=Amount(5_000, 20_000),
            deflated=True,
        ),
    )
}
