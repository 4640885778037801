"""The handler: builds the pipeline from a configuration, supervises, shuts down.

Knows nothing of: the command line.
Words: feed handler, source, sink, consumer, plan, summary. Its C part: ext/tickwire/feed.
"""

from tickwire.feed.books.book_view import BookView
from tickwire.feed.consumers.consumer import BatchConsumer, LightConsumer
from tickwire.feed.consumers.following import GapEvent, GapStream, ReconnectEvent
from tickwire.feed.consumers.row_queue import QueueEmpty, QueueFull, QueueShutDown
from tickwire.feed.consumers.rows import RowConsumer
from tickwire.feed.handler import FeedHandler
from tickwire.feed.loops import run
from tickwire.feed.summary import Status

__all__ = [
    "BatchConsumer",
    "BookView",
    "FeedHandler",
    "GapEvent",
    "GapStream",
    "LightConsumer",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "ReconnectEvent",
    "RowConsumer",
    "Status",
    "run",
]
