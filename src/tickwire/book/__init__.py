"""Order books from book rows: continuity, the splice of a snapshot, and the deltas held for it.

Knows nothing of: messages, rows and sockets. Words: level, delta, snapshot, continuity, splice,
hold, release.
Its C part: ext/tickwire/book.
"""

from tickwire.book._chains import CHAINS
from tickwire.book._checksum import BookChecksums
from tickwire.book._follower import BookFollower
from tickwire.book._held import HeldDelta, HeldDeltas
from tickwire.book._nbbo import NbboOutput
from tickwire.book._oracle import BookOracle
from tickwire.book._order_book import OrderBook
from tickwire.book._outputs import BookOutputs
from tickwire.book._positions import BookPositions
from tickwire.book._reader import BookReader
from tickwire.book._rules import RULES
from tickwire.book._splice import BookSplice

__all__ = [
    "CHAINS",
    "RULES",
    "BookChecksums",
    "BookFollower",
    "BookOracle",
    "BookOutputs",
    "BookPositions",
    "BookReader",
    "BookSplice",
    "HeldDelta",
    "HeldDeltas",
    "NbboOutput",
    "OrderBook",
]
