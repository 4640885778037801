"""What is known to be missing, and what happened to connections: the tables gaps and sessions.

Knows nothing of: venues, connections and sinks. Words: gap, open, closed, reason, session event.
Its C part: nowhere.
"""

from tickwire.ledger.ledger import Ledger, Place

__all__ = ["Ledger", "Place"]
