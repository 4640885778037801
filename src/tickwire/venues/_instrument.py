"""What a venue trades: instruments, and the names that people have for them.

Rules of this file
------------------
- A name is `BTC-USDT` on spot and `BTC-USDT-PERP` of a perpetual contract; ccxt writes `BTC/USDT`
  and `BTC/USDT:USDT`. Both are read by `parse_name`; what neither is, is the venue's own symbol.
- Futures and options have many ways to be called: their name is the venue's symbol.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

# What follows a dash in a contract's symbol, `BTCUSDT-25DEC26` or `BTC-PERPETUAL`: no currency is
# called so.
TERM = re.compile(r"\d{1,2}[A-Z]{3}\d{2}|\d{6}|\d{8}|PERPETUAL")

InstrumentKind = Literal["spot", "perpetual", "future", "option"]


@dataclass(frozen=True, slots=True)
class Name:
    """What `BTC-USDT-PERP` or `BTC/USDT:USDT` says."""

    base: str
    quote: str
    settle: str = ""  # of a perpetual, where it is said

    is_perpetual: bool = False


def parse_name(text: str) -> Name | None:
    """Read a name; None where the text is none.

    Parameters
    ----------
    text
        Of a configuration.
    """
    pair, colon, settle = text.partition(":")
    if "/" in pair:
        base, _, quote = pair.partition("/")
        if not base or not quote or "/" in quote or "-" in settle or (colon and not settle):
            return None
        return Name(base, quote, settle, bool(colon))
    parts = text.split("-")
    if not all(parts) or ":" in text or TERM.fullmatch(parts[-1]):
        return None
    if len(parts) == 2:
        return Name(parts[0], parts[1])
    if len(parts) == 3 and parts[2] == "PERP":
        return Name(parts[0], parts[1], is_perpetual=True)
    return None


def spell_spot(spell: Callable[[Name], str], name: Name) -> str:
    """Write a name as `spell` does, at a market of spot pairs.

    Raises
    ------
    ValueError
        It is a perpetual's.
    """
    if name.is_perpetual:
        raise ValueError(f"has spot pairs alone, such as '{name.base}-{name.quote}'")
    return spell(name)


def spell_contract(spell: Callable[[Name], str], name: Name) -> str:
    """Write a name as `spell` does, at a market of contracts.

    Raises
    ------
    ValueError
        It is a spot pair's.
    """
    if not name.is_perpetual:
        raise ValueError(f"has contracts alone, such as '{name.base}-{name.quote}-PERP'")
    return spell(name)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that a venue trades.

    Parameters
    ----------
    symbol
        The venue's own, as its rows have it.
    kind
        `spot`, `perpetual`, `future` or `option`; empty where the venue does not say.
    base, quote, settle
        Currencies: what is traded, what it is paid with, what a contract is settled in.
    inverse
        Whether a contract is worth a fixed sum of the quote currency.
    tick_size, lot_size
        Steps of price and size.
    contract_size
        How much of the base currency a contract is, or of the quote currency where it is inverse.
    decimals
        Of prices.
    expiry_ns
        When it ends, ns since 1970; None where it does not.
    status
        In the venue's word.
    """

    symbol: str
    kind: InstrumentKind | Literal[""] = ""
    base: str = ""
    quote: str = ""
    settle: str = ""
    inverse: bool = False
    tick_size: float | None = None
    lot_size: float | None = None
    contract_size: float | None = None
    decimals: int | None = None
    expiry_ns: int | None = None
    status: str = ""

    @property
    def name(self) -> str:
        """What it is called at every venue, where it has such a name."""
        if self.kind == "spot":
            return f"{self.base}-{self.quote}"
        if self.kind == "perpetual":
            return f"{self.base}-{self.quote}-PERP"
        return self.symbol

    def shown(self) -> dict[str, Any]:
        """Give its columns by name, `name` behind `symbol`."""
        values = asdict(self)
        return {"symbol": values.pop("symbol"), "name": self.name, **values}


def step(text: str | float | None) -> float | None:
    """Read a step of prices or sizes; what is empty or 0 is None."""
    return float(text) or None if text else None


def decimals_of(text: str) -> int | None:
    """Count the decimals of a step as the venue writes it: 1 of `0.10`, none of `5`."""
    if not text:
        return None
    if "e" in text.lower():
        return max(0, -int(text.lower().partition("e")[2]))
    return len(text.partition(".")[2].rstrip("0"))


def ms_or_none(text: str | int | None) -> int | None:
    """Read a time in ms as ns; what is empty or 0 is None."""
    return int(text) * 1_000_000 or None if text else None
