"""What is missing, and why: the tables gaps, sessions and quarantine.

Knows nothing of: venues, connections and sinks. Words: gap, open, closed, reason, session event,
stream, position, quarantine. Its C part: nowhere.
"""

from tickwire.ledger.book_gaps import BookGaps
from tickwire.ledger.gaps import Gap, Moment, Place, Position
from tickwire.ledger.holes import MOST_ID, Hole, Holes, Missing
from tickwire.ledger.index import StreamState
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.quarantine import Quarantine
from tickwire.ledger.streams import StreamGaps

__all__ = [
    "MOST_ID",
    "BookGaps",
    "Gap",
    "Hole",
    "Holes",
    "Ledger",
    "Missing",
    "Moment",
    "Place",
    "Position",
    "Quarantine",
    "StreamGaps",
    "StreamState",
]
