"""What a venue's symbols look like: tick, lot and how their decimals are written.

Rules of this file
------------------
- A price is an integer number of ticks and a size an integer number of lots until it is written.
- The text is the venue's: Hyperliquid trims zeros but keeps one decimal (`97432.0`), Binance spot
  pads to eight, USD-M pads to the symbol's precision, COIN-M sizes are whole contracts.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

HYPERLIQUID = ("hyperliquid", "hyperliquid-testnet")
BINANCE_SPOT = ("binance", "binance-us")
BINANCE_USDM = ("binance-usdm", "aster")
BINANCE = (*BINANCE_SPOT, *BINANCE_USDM, "binance-coinm")
BYBIT = ("bybit", "bybit-spot", "bybit-inverse")
BITGET = ("bitget", "bitget-futures", "bitget-usdc", "bitget-inverse")
GATE = ("gate", "gate-futures", "gate-btc")
VENUES = (
    *HYPERLIQUID, *BINANCE, *BYBIT, "okx", "coinbase", "kraken", "deribit", *BITGET, *GATE,
    "kraken-futures", "bitfinex",
)  # fmt: skip

DEFAULT_SYMBOLS = {
    "hyperliquid": ("BTC", "ETH", "SOL", "HYPE"),
    "hyperliquid-testnet": ("BTC", "ETH", "SOL", "HYPE"),
    "binance": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "binance-usdm": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "binance-coinm": ("BTCUSD_PERP", "ETHUSD_PERP"),
    "binance-us": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "aster": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "deribit": ("BTC-PERPETUAL", "ETH-PERPETUAL", "SOL_USDC-PERPETUAL"),
    "bitget-futures": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "bitget-usdc": ("BTCPERP", "ETHPERP"),
    "bitget-inverse": ("BTCUSD", "ETHUSD"),
    "bitget": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "gate": ("BTC_USDT", "ETH_USDT", "SOL_USDT"),
    "gate-futures": ("BTC_USDT", "ETH_USDT", "SOL_USDT"),
    "gate-btc": ("BTC_USD",),
    "kraken-futures": ("PF_XBTUSD", "PF_ETHUSD", "PF_SOLUSD"),
    "bitfinex": ("tBTCUSD", "tETHUSD", "tSOLUSD"),
    "bybit": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "bybit-spot": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "bybit-inverse": ("BTCUSD", "ETHUSD"),
    "okx": ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP"),
    "coinbase": ("BTC-USD", "ETH-USD", "SOL-USD"),
    "kraken": ("BTC/USD", "ETH/USD", "SOL/USD"),
}

# Where `tickwire sim` listens unless another port is given; REST has the next one.
DEFAULT_PORTS = {
    "hyperliquid": 8760,
    "hyperliquid-testnet": 8762,
    "binance": 8764,
    "binance-usdm": 8766,
    "binance-coinm": 8768,
    "okx": 8770,
    "bybit": 8772,
    "bybit-spot": 8774,
    "bybit-inverse": 8776,
    "coinbase": 8778,
    "kraken": 8780,
    "binance-us": 8782,
    "aster": 8784,
    "deribit": 8786,
    "bitget-futures": 8788,
    "bitget-usdc": 8790,
    "bitget-inverse": 8792,
    "bitget": 8794,
    "gate": 8796,
    "gate-futures": 8798,
    "gate-btc": 8800,
    "kraken-futures": 8802,
    "bitfinex": 8804,
}

# Base asset to (price, decimals of its tick, decimals of its lot), near five significant figures.
_KNOWN = {
    "BTC": (97432, 0, 5),
    "ETH": (3512, 1, 4),
    "SOL": (182, 2, 2),
    "HYPE": (31, 3, 2),
    "XRP": (2, 4, 0),
    "DOGE": (0.3712, 5, 0),
}
_CACHED_TEXTS = 65536


@dataclass(slots=True)
class Instrument:
    """One symbol and how its numbers are written.

    Parameters
    ----------
    symbol
        The venue's own.
    start_ticks
        The price at which its market starts.
    tick_decimals, lot_decimals
        One tick is 10 ** -tick_decimals, one lot 10 ** -lot_decimals.
    typical_lots
        The size of an ordinary order.
    price_digits, size_digits
        Decimals in the text; None trims zeros but keeps one decimal.
    """

    symbol: str
    start_ticks: int
    tick_decimals: int
    lot_decimals: int
    typical_lots: int
    price_digits: int | None
    size_digits: int | None
    _prices: dict[int, str] = field(default_factory=dict, repr=False)
    _sizes: dict[int, str] = field(default_factory=dict, repr=False)

    def price_text(self, ticks: int) -> str:
        """Write a price as the venue does."""
        text = self._prices.get(ticks)
        if text is None:
            text = _decimal(ticks, self.tick_decimals, self.price_digits)
            if len(self._prices) >= _CACHED_TEXTS:
                self._prices.clear()
            self._prices[ticks] = text
        return text

    def size_text(self, lots: int) -> str:
        """Write a size as the venue does."""
        text = self._sizes.get(lots)
        if text is None:
            text = _decimal(lots, self.lot_decimals, self.size_digits)
            if len(self._sizes) >= _CACHED_TEXTS:
                self._sizes.clear()
            self._sizes[lots] = text
        return text

    def notional_text(self, ticks_times_lots: int) -> str:
        """Write a sum of price times size, exactly."""
        return _decimal(ticks_times_lots, self.tick_decimals + self.lot_decimals, self.size_digits)


def _decimal(units: int, decimals: int, digits: int | None) -> str:
    whole, fraction = divmod(abs(units), 10**decimals)
    sign = "-" if units < 0 else ""
    text = f"{fraction:0{decimals}d}" if decimals else ""
    if digits is None:
        return f"{sign}{whole}.{text.rstrip('0') or '0'}"
    if digits == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{text.ljust(digits, '0')}"


def instrument(venue: str, symbol: str) -> Instrument:
    """Describe a symbol; one that is not known gets a price that its name decides.

    Parameters
    ----------
    venue
        One of `VENUES`.
    symbol
        As the venue spells it.

    Returns
    -------
    Instrument
        The same for the same arguments, always.
    """
    base = symbol
    if venue in ("okx", "coinbase", "kraken"):
        base = symbol.partition("/" if venue == "kraken" else "-")[0]
    elif venue == "kraken-futures":
        base = symbol.partition("_")[2].removesuffix("USD").replace("XBT", "BTC")
    elif venue == "bitfinex":
        base = symbol.removeprefix("t").removesuffix("USD")
    elif venue == "deribit" or venue in GATE:
        base = symbol.partition("-")[0].partition("_")[0]
    elif venue in BINANCE + BYBIT + BITGET:
        for quote in ("USDT", "USDC", "FDUSD", "USD_PERP", "PERP", "BTC", "BNB", "USD"):
            if symbol.endswith(quote) and symbol != quote:
                base = symbol.removesuffix(quote)
                break
    price, tick_decimals, lot_decimals = _KNOWN.get(base) or _invented(base)
    if venue in BINANCE_SPOT:
        tick_decimals += 2
        digits: tuple[int | None, int | None] = (8, 8)
    elif venue in BINANCE_USDM:
        tick_decimals, lot_decimals = tick_decimals + 1, min(lot_decimals, 3)
        digits = (tick_decimals + 1, lot_decimals)
    elif venue == "binance-coinm":
        tick_decimals, lot_decimals = tick_decimals + 1, 0
        digits = (tick_decimals, 0)
    elif venue in HYPERLIQUID:
        digits = (None, None)
    else:
        tick_decimals += 1
        digits = (tick_decimals, 8 if venue == "kraken" else lot_decimals)
    # An ordinary order is worth about 2,000 dollars; a COIN-M contract is worth 100 (BTC) or 10.
    typical = 20 if venue == "binance-coinm" else round(2000 / price * 10**lot_decimals)
    start_ticks = round(price * 10**tick_decimals)
    return Instrument(symbol, start_ticks, tick_decimals, lot_decimals, max(typical, 4), *digits)


def _invented(base: str) -> tuple[float, int, int]:
    # crc32 and not hash(): the same in every process.
    number = zlib.crc32(base.encode())
    price = 1 + number % 400
    return (price, 4 - len(str(price)), len(str(price)) - 1)
