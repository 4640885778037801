"""How long a venue that refuses wants not to be asked: by Retry-After, or by its status."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

# 429 too many requests; 418 is how Binance tells an address that went on after those.
PAUSE_S = {418: 120.0, 429: 10.0}  # where the answer has no Retry-After
# Of an opening handshake. One more costs the venue little; the breaker knows how often it was so.
CONNECT_PAUSE_S = {418: 120.0, 429: 2.0}


def stay_away_s(
    status: int | None, retry_after: str, pauses_s: Mapping[int, float] = PAUSE_S
) -> float:
    """Give how long not to ask; 0 where nothing says so.

    Parameters
    ----------
    status
        Of the answer.
    retry_after
        Its header, RFC 9110 section 10.2.3: seconds, or a date; empty where it has none.
    pauses_s
        By status, where nothing is said.
    """
    told = retry_after.strip()
    if status not in pauses_s and not (told and status == 503):
        return 0.0
    pause_s = pauses_s.get(status or 0, 10.0)
    if told.isascii() and told.isdecimal():
        pause_s = float(told[:9])
    elif told:
        with contextlib.suppress(ValueError):  # no date: the usual pause
            pause_s = max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    return pause_s
