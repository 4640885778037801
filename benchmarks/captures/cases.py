"""Cases that send what was recorded, and all cases together."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from benchmarks.captures.tape import CaptureSpec

from tickwire.bench import cases
from tickwire.bench.cases import Amount, Case
from tickwire.errors import TickwireError

# Recorded from exchanges; below the folder that `TICKWIRE_CAPTURES` names.
BINANCE_CAPTURE = "replay/binance-all6-20240808.jsonl.zst"
BOOK_CAPTURE = "hyperliquid/hlarchive-l2book-btc-20240101-12-a.jsonl.zst"
BINANCE_MESSAGES = 332_194
BOOK_MESSAGES = 4_000
# Of Binance's connections, by their number in the capture: venue, path and symbol.
BINANCE_CONNECTIONS = (
    ("binance-usdm", "/public/stream", "BTCUSDT"),
    ("binance-usdm", "/public/stream", "ETHUSDT"),
    ("binance-coinm", "/stream", "BTCUSD_PERP"),
    ("binance-coinm", "/stream", "ETHUSD_PERP"),
    ("binance", "/stream", "BTCUSDT"),
    ("binance", "/stream", "ETHUSDT"),
)


@dataclass(frozen=True, slots=True)
class CaptureCase(Case):
    """A case whose messages were recorded.

    Parameters
    ----------
    capture
        The file, below the folder that `TICKWIRE_CAPTURES` names.
    """

    capture: str = ""

    def spec(self, n_messages: int) -> CaptureSpec:
        """Tell the load generator to send the capture over and over.

        Raises
        ------
        TickwireError
            The capture is not there.
        """
        made = Case.spec(self, n_messages)
        values = {field.name: getattr(made, field.name) for field in fields(made)}
        return CaptureSpec(**values, capture=str(find_capture(self.capture)))


@dataclass(frozen=True, slots=True)
class BinanceCase(CaptureCase):
    """Trades, quotes and books of a recorded day, each message once, over its connections."""

    def of_messages(self, n_messages: int) -> BinanceCase:
        """Give the same case with about so many messages to measure, after the rest."""
        n_main = min(n_messages, BINANCE_MESSAGES // 2)
        amount = Amount(BINANCE_MESSAGES - n_main, n_main)
        return replace(self, fast=amount, slow=amount)


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


_BINANCE_AMOUNT = Amount(60_000, BINANCE_MESSAGES - 60_000)
CASES: dict[str, Case] = cases.CASES | {
    case.name: case
    for case in (
        CaptureCase(
            "l2Book capture/ws",
            "book",
            ("book",),
            Amount(8_000, 152_000),
            Amount(4_000, 32_000),
            tape_messages=BOOK_MESSAGES,
            capture=BOOK_CAPTURE,
        ),
        BinanceCase(
            "binance capture/ws",
            "mix",
            ("trades", "quotes", "book"),
            _BINANCE_AMOUNT,
            _BINANCE_AMOUNT,
            n_symbols=len(BINANCE_CONNECTIONS),
            n_connections=len(BINANCE_CONNECTIONS),
            capture=BINANCE_CAPTURE,
        ),
    )
}
