"""Which exchange speaks for a venue, and what may be asked of a simulator of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tickwire.errors import ConfigError
from tickwire.sim.binance import Binance
from tickwire.sim.bitfinex import Bitfinex
from tickwire.sim.bitget import Bitget
from tickwire.sim.bybit import Bybit
from tickwire.sim.coinbase import Coinbase
from tickwire.sim.deribit import Deribit
from tickwire.sim.exchange import CHANNELS, Exchange
from tickwire.sim.faults import Fault, parse
from tickwire.sim.gate import Gate
from tickwire.sim.hyperliquid import Hyperliquid
from tickwire.sim.instruments import BINANCE, BITGET, BYBIT, GATE, HYPERLIQUID, VENUES
from tickwire.sim.kraken import Kraken
from tickwire.sim.kraken_futures import KrakenFutures
from tickwire.sim.okx import Okx
from tickwire.sim.playback import Speed
from tickwire.venues import load

SPEAKS: dict[str, type[Exchange]] = {
    **dict.fromkeys(HYPERLIQUID, Hyperliquid),
    **dict.fromkeys(BINANCE, Binance),
    **dict.fromkeys(BYBIT, Bybit),
    "okx": Okx,
    "coinbase": Coinbase,
    "kraken": Kraken,
    "kraken-futures": KrakenFutures,
    "deribit": Deribit,
    "bitfinex": Bitfinex,
    **dict.fromkeys(BITGET, Bitget),
    **dict.fromkeys(GATE, Gate),
}
LINKED = (*BINANCE, "okx", "deribit", *BITGET, *GATE)  # books whose messages name the one before


def fault_of(venue: str, given: str | Fault) -> Fault:
    """Read a fault that this venue can have."""
    fault = parse(given) if isinstance(given, str) else given
    if fault.name == "break-sequence" and venue not in LINKED:
        raise ConfigError([f"--fault {fault.text}: {venue} has no ids that link its messages"])
    return fault


def check(
    venue: str, rate: float, channels: Sequence[str] | None, speed: Speed, *, plays: bool
) -> None:
    """Refuse options that no simulator has.

    Raises
    ------
    ConfigError
        With one line per option.
    """
    problems = []
    if venue not in VENUES and plays:
        try:
            load(venue, (Path.cwd(),))
        except ConfigError as error:
            problems += [f"--venue: {problem}" for problem in error.problems]
    elif venue not in VENUES:
        problems.append(
            f"--venue: {venue} is not simulated; allowed: {', '.join(VENUES)}, and any venue "
            "with --capture"
        )
    if rate < 0:
        problems.append(f"--rate: {rate:g} is not 0 or more")
    allowed = ", ".join(CHANNELS)
    problems += [
        f"--channels: no channel {channel}; allowed: {allowed}"
        for channel in channels or ()
        if channel.partition(":")[0] not in CHANNELS
    ]
    if speed != "max" and not speed > 0:
        problems.append(f"--speed: {speed} is not a number above 0 or max")
    if problems:
        raise ConfigError(problems)
