"""Hyperliquid, main net and test net.

Rules of this file
------------------
- Every frame is `{"channel": ..., "data": ...}`; numbers are decimal strings, times milliseconds of
  the block. No channel has sequence numbers.
- A book message is the whole book, but for `l2` (`l2`). `fast` books say so
  (`data.fast`); those with nSigFigs or mantissa do not, so they have a connection each
  (`Subscription.group`).
- The first `trades` frame after a subscribe repeats trades already printed: `rows(once=...)`.
"""

from tickwire.venues.hyperliquid.venue import VENUES

__all__ = ["VENUES"]
