"""Which books are of one instrument, for the table `nbbo`: by the names that a configuration uses.

Rules of this file
------------------
- `BTC-USDT-PERP` and `BTC/USDT:USDT` name one instrument. A symbol that is written as its venue
  spells it has no name, for `BTCUSDT` may be a pair or a contract: it is in no row of `nbbo`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tickwire.config import Source
from tickwire.feed.plan.plans import SourcePlan
from tickwire.logs import get_logger
from tickwire.venues import parse_name

MOST_NAMED = 10  # in the log

_log = get_logger("tickwire.feed")


def instruments_of(
    given: Iterable[Source], planned: Iterable[SourcePlan]
) -> dict[tuple[str, str], str]:
    """Give the names of instruments, by venue and symbol; the log names symbols without one.

    Parameters
    ----------
    given
        The sources as they were configured.
    planned
        The same, as planned: with the venues' own symbols.
    """
    found: dict[tuple[str, str], str] = {}
    unnamed: dict[tuple[str, str], None] = {}
    for source, plan in zip(given, planned, strict=True):
        if "book" not in plan.tables:
            continue
        for text in source.symbols:
            name = parse_name(text)
            if name is None or plan.venue.spell is None:
                unnamed[plan.venue.name, text] = None
                continue
            kind = "-PERP" if name.is_perpetual else ""
            found[plan.venue.name, plan.venue.spell(name)] = f"{name.base}-{name.quote}{kind}"
    left = [f"{venue} {symbol}" for venue, symbol in unnamed if (venue, symbol) not in found]
    if left:
        _log.warning(
            "symbols are not in nbbo: write them as BTC-USDT or BTC-USDT-PERP",
            symbols=", ".join(left[:MOST_NAMED]),
            count=len(left),
        )
    return found
