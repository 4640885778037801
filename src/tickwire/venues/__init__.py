"""One file per exchange: endpoints, subscriptions, heartbeat, limits, plans, all declared.

Knows nothing of: asyncio. Words: venue, symbol, channel, endpoint, subscription.
Its C part: nowhere: a venue is a page of Python.
"""

from tickwire.venues._book_rule import (
    BookRule,
    checksum,
    counted,
    crc32,
    empty,
    first_message,
    in_band,
    linked,
    none,
    per_connection,
    ranges,
    rest,
)
from tickwire.venues._instrument import Instrument, Name, parse_name
from tickwire.venues._planning import LISTED, channel_names, connections, plan
from tickwire.venues._registry import load, names
from tickwire.venues.base import (
    Backfill,
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
    "Backfill",
    "BookRule",
    "Channel",
    "Heartbeat",
    "Instrument",
    "InstrumentQuery",
    "Limits",
    "Name",
    "Reply",
    "Subscription",
    "Venue",
    "channel_names",
    "checksum",
    "connections",
    "counted",
    "crc32",
    "empty",
    "first_message",
    "in_band",
    "linked",
    "load",
    "names",
    "none",
    "parse_name",
    "per_connection",
    "plan",
    "ranges",
    "rest",
]
