"""A venue's session: subscribe, pacing, heartbeat, liveness, reconnect; REST within its limits.

Knows nothing of: tables and sinks, sockets and TLS. Words: session, subscribe, heartbeat,
reconnect, replies. Its C part: none.
"""

from tickwire.net import WebSocket, connect
from tickwire.session.breakers import endpoint_breakers, endpoint_of
from tickwire.session.contract import SessionHandler, SessionSettings
from tickwire.session.observers import SessionObserver
from tickwire.session.pacing import Pacer, WindowLimiter
from tickwire.session.reconnect import Connect, ReconnectPolicy, Wait
from tickwire.session.rest import RestClient, SourceRest
from tickwire.session.session import Session

__all__ = [
    "Connect",
    "Pacer",
    "ReconnectPolicy",
    "RestClient",
    "Session",
    "SessionHandler",
    "SessionObserver",
    "SessionSettings",
    "SourceRest",
    "Wait",
    "WebSocket",
    "WindowLimiter",
    "connect",
    "endpoint_breakers",
    "endpoint_of",
]
