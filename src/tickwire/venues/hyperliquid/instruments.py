"""What Hyperliquid lists, and how a name is spelled there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tickwire.venues._instrument import Instrument, Name
from tickwire.venues.base import InstrumentQuery


def _listed(payload: bytes) -> Iterator[Instrument]:
    """Read a `meta`, or a `spotMeta`, which has tokens."""
    answer = json.loads(payload)
    tokens = {each["index"]: each for each in answer.get("tokens", ())}
    for each in answer["universe"]:
        pair = [tokens.get(index, {}) for index in each.get("tokens", ())]
        if "tokens" in answer:
            base, quote = (token.get("name", "") for token in (pair or [{}, {}])[:2])
            size = pair[0].get("szDecimals") if pair else None
            yield Instrument(each["name"], "spot", base, quote, lot_size=_lot(size))
            continue
        yield Instrument(
            each["name"],
            "perpetual",
            each["name"].rpartition(":")[2],
            "USD",
            settle="USDC",
            lot_size=_lot(each.get("szDecimals")),
            contract_size=1.0,
            status="delisted" if each.get("isDelisted") else "",
        )


def _lot(decimals: int | None) -> float | None:
    return None if decimals is None else float(f"1e-{decimals}")


def spell(name: Name) -> str:
    """Give a name as the venue has it."""
    return name.base if name.is_perpetual else f"{name.base}/{name.quote}"


def instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for perpetuals and spot pairs, and for the perpetuals of each builder's dex named.

    Where no symbol is named, for those of every dex.
    """
    dexes = sorted({dex for dex, colon, _ in (each.partition(":") for each in symbols) if colon})
    queries = [_query(type="meta"), _query(type="spotMeta"), *map(_of_dex, dexes)]
    if not symbols:
        asked = json.dumps({"type": "perpDexs"})
        queries.append(InstrumentQuery("/info", lambda _: (), asked, more=_all_dexes))
    return queries


def _query(**asked: str) -> InstrumentQuery:
    return InstrumentQuery("/info", _listed, json.dumps(asked))


def _of_dex(dex: str) -> InstrumentQuery:
    return _query(type="meta", dex=dex)


def _all_dexes(payload: bytes) -> list[InstrumentQuery]:
    """Ask for the perpetuals of each dex of `perpDexs`, in which the main one is null."""
    return [_of_dex(each["name"]) for each in json.loads(payload) if each is not None]
