"""One file per exchange: endpoints, subscriptions, heartbeat, limits, plans, all declared.

Knows nothing of: asyncio. Words: venue, symbol, channel, endpoint, subscription.
Its C part: nowhere: a venue is a page of Python.
"""

from tickwire.venues import _book_rule
from tickwire.venues._book_rule import *  # noqa: F403 - a chain adds its word there alone
from tickwire.venues._instrument import Instrument, Name, parse_name
from tickwire.venues._oracle import Oracle, lasting, same_id, same_time
from tickwire.venues._planning import LISTED, NO_SYMBOLS, channel_names, connections, plan
from tickwire.venues._registry import load, names
from tickwire.venues.base import (
    Backfill,
    Before,
    Channel,
    Heartbeat,
    InstrumentQuery,
    Limits,
    Reply,
    Subscription,
    Venue,
)

__all__ = [
    "LISTED",
    "NO_SYMBOLS",
    "Backfill",
    "Before",
    "Channel",
    "Heartbeat",
    "Instrument",
    "InstrumentQuery",
    "Limits",
    "Name",
    "Oracle",
    "Reply",
    "Subscription",
    "Venue",
    "channel_names",
    "connections",
    "lasting",
    "load",
    "names",
    "parse_name",
    "plan",
    "same_id",
    "same_time",
]
__all__ += _book_rule.__all__
