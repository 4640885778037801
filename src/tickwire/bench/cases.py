"""What is sent: the cases, and how much of each a pipeline of its speed gets."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tickwire.errors import TickwireError
from tickwire.sim.load import LoadSpec
from tickwire.sim.tape import Mix

# Channels as a configuration names them, and as Hyperliquid does.
VENUE_TYPES = {"trades": "trades", "quotes": "bbo", "book": "l2Book"}
SYMBOL = "BTC"
# Recorded from exchanges; below the folder that `TICKWIRE_CAPTURES` names.
BINANCE_CAPTURE = "replay/binance-all6-20240808.jsonl.zst"
BOOK_CAPTURE = "hyperliquid/hlarchive-l2book-btc-20240101-12-a.jsonl.zst"
CAPTURE_MESSAGES = 332_194  # Binance's
BOOK_CAPTURE_MESSAGES = 4_000
# Of Binance's connections, by their number in the capture: venue, path and symbol.
CAPTURE_LINKS = (
    ("binance-usdm", "/public/stream", "BTCUSDT"),
    ("binance-usdm", "/public/stream", "ETHUSDT"),
    ("binance-coinm", "/stream", "BTCUSD_PERP"),
    ("binance-coinm", "/stream", "ETHUSD_PERP"),
    ("binance", "/stream", "BTCUSDT"),
    ("binance", "/stream", "ETHUSDT"),
)


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
        What the load generator calls it, or `binance`: trades, quotes and books of a recorded day,
        each message once, over the capture's own connections.
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
    capture
        What was recorded is sent, this file below the folder that `TICKWIRE_CAPTURES` names; else
        messages that are made.
    """

    name: str
    mix: Mix | Literal["binance"]
    tables: tuple[str, ...]
    fast: Amount
    slow: Amount
    tape_messages: int = 10_000
    tls: bool = False
    n_symbols: int = 1
    n_connections: int = 1
    deflated: bool = False
    capture: str = ""

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
        if self.mix == "binance":
            n_main = min(n_messages, CAPTURE_MESSAGES // 2)
            amount = Amount(CAPTURE_MESSAGES - n_main, n_main)
            return replace(self, fast=amount, slow=amount)
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
        """Tell the load generator what to send.

        Raises
        ------
        TickwireError
            The case's capture is not there, or is not for the load generator.
        """
        if self.mix == "binance":
            raise TickwireError("the load generator does not send Binance's messages")
        return LoadSpec(
            self.mix,
            n_messages,
            tape_messages=self.tape_messages,
            n_requests=len(self.tables) * self.n_symbols // self.n_connections,
            coin=SYMBOL,
            coins=self.symbols if self.n_symbols > 1 else (),
            n_connections=self.n_connections,
            capture=str(find_capture(self.capture)) if self.capture else "",
        )


def find_capture(capture: str) -> Path:
    """Give a capture's file.

    Raises
    ------
    TickwireError
        Where `TICKWIRE_CAPTURES` does not lead to it.
    """
    root = os.environ.get("TICKWIRE_CAPTURES")
    path = Path(root or ".") / capture
    if not (root and path.exists()):
        raise TickwireError(f"TICKWIRE_CAPTURES names no folder with {capture}")
    return path


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
        replace(
            _BOOKS,
            name="l2Book capture/ws",
            fast=Amount(8_000, 152_000),
            slow=Amount(4_000, 32_000),
            tape_messages=BOOK_CAPTURE_MESSAGES,
            capture=BOOK_CAPTURE,
        ),
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
        Case(
            "binance capture/ws",
            "binance",
            ("trades", "quotes", "book"),
            Amount(60_000, CAPTURE_MESSAGES - 60_000),
            Amount(60_000, CAPTURE_MESSAGES - 60_000),
            n_symbols=len(CAPTURE_LINKS),
            n_connections=len(CAPTURE_LINKS),
            capture=BINANCE_CAPTURE,
        ),
    )
}
