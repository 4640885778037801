"""One file per exchange: endpoints, subscriptions, heartbeat, limits, plans, all declared.

Knows nothing of: asyncio. Words: venue, symbol, channel, endpoint, subscription. Its C part: nowhere: a venue is a page of Python.
"""
