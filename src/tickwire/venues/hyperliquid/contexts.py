"""Hyperliquid's asset contexts: tickers of one coin, of all coins of all dexes, and mids."""

from __future__ import annotations

from tickwire.decode.plan import inflated, member_key, message, present, rows
from tickwire.schema import Column, Kind

MOST_CONTEXT_BYTES = 32 << 20  # of all coins; 1,241 had 60 kB

_TICKER = rows(
    at="data",
    into="tickers",
    symbol="coin",
    mark_price="ctx.markPx",
    index_price="ctx.oraclePx",
    funding_rate="ctx.funding",
    open_interest="ctx.openInterest",
    volume_24h="ctx.dayBaseVlm",
    notional_24h="ctx.dayNtlVlm",
    mid_price="ctx.midPx",
    premium="ctx.premium",
    prev_day_price="ctx.prevDayPx",
    impact_bid_price="ctx.impactPxs[0]",
    impact_ask_price="ctx.impactPxs[1]",
    circulating_supply="ctx.circulatingSupply",
    total_supply="ctx.totalSupply",
)

CONTEXT_MESSAGES = (
    message("activeAssetCtx", when={"channel": "activeAssetCtx"}, rows=[_TICKER]),
    message("activeSpotAssetCtx", when={"channel": "activeSpotAssetCtx"}, rows=[_TICKER]),
    # All coins first, then those that have changed, with what has.
    message(
        "fastAssetCtxs",
        when={"channel": "fastAssetCtxs"},
        packed=inflated("data", most_bytes=MOST_CONTEXT_BYTES),
    ),
    message(
        "fastAssetCtxs inside",
        inside="fastAssetCtxs",
        rows=[
            rows(
                at="{}",
                into="tickers",
                symbol=member_key(),
                carry=True,
                mark_price="markPx",
                mid_price="midPx",
            ),
            rows(
                at="{}",
                into="mids",
                when={"midPx": present()},
                symbol=member_key(),
                price="midPx",
            ),
        ],
    ),
    message(
        "allMids",
        when={"channel": "allMids"},
        rows=[
            rows(
                at="data.mids{}",
                into="mids",
                symbol=member_key(),
                price="",
            )
        ],
    ),
)


def _floats(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.F64, nullable=True) for name in names)


CONTEXT_EXTRAS = {
    "tickers": _floats(
        "mid_price",
        "premium",
        "prev_day_price",
        "impact_bid_price",
        "impact_ask_price",
        "circulating_supply",
        "total_supply",
    ),
}
