"""What is missing, and why: the tables gaps, sessions and quarantine.

Knows nothing of: venues, connections and sinks. Words: gap, open, closed, reason, session event,
quarantine. Its C part: nowhere.
"""

from tickwire.ledger.gaps import Gap, Place
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.quarantine import Quarantine

__all__ = ["Gap", "Ledger", "Place", "Quarantine"]
