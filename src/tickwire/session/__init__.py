"""A connection's life: carriers, connect, subscribe pacing, heartbeat, liveness, reconnect.

Knows nothing of: tables and sinks. Words: carrier, connect, subscribe, heartbeat, reconnect. Its C
part: ext/tickwire/session.
"""

from tickwire.session._receiver import Receiver
from tickwire.session.backoff import Backoff
from tickwire.session.client import WebSocket, connect
from tickwire.session.connection import Connection, Ending
from tickwire.session.contract import LinkObserver, LinkSettings, SessionHandler
from tickwire.session.link import Link
from tickwire.session.opening import CARRIERS, CarrierName, open_connection
from tickwire.session.pacing import Pacer, WindowLimiter
from tickwire.session.rest import RestClient

__all__ = [
    "CARRIERS",
    "Backoff",
    "CarrierName",
    "Connection",
    "Ending",
    "Link",
    "LinkObserver",
    "LinkSettings",
    "Pacer",
    "Receiver",
    "RestClient",
    "SessionHandler",
    "WebSocket",
    "WindowLimiter",
    "connect",
    "open_connection",
]
