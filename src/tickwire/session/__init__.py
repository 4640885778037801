"""A connection's life: carriers, connect, subscribe pacing, heartbeat, liveness, reconnect.

Knows nothing of: tables and sinks. Words: carrier, connect, subscribe, heartbeat, reconnect. Its C part: ext/tickwire/session.
"""
