"""WebSocket and HTTP connections: dial, TLS, carriers, the general client `connect`.

Knows nothing of: venues, subscriptions and when to connect again. Words: carrier, connection,
handshake, receive buffer. Its C part: ext/tickwire/net.
"""

from tickwire.net._receiver import Receiver
from tickwire.net._recorded import RecordedHandler
from tickwire.net.client import WebSocket, connect
from tickwire.net.connection import Connection
from tickwire.net.ending import Ending
from tickwire.net.opening import CARRIERS, CarrierName, open_connection

__all__ = [
    "CARRIERS",
    "CarrierName",
    "Connection",
    "Ending",
    "Receiver",
    "RecordedHandler",
    "WebSocket",
    "connect",
    "open_connection",
]
