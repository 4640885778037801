"""The handler: builds the pipeline from a configuration, supervises, shuts down.

Knows nothing of: the command line.
Words: feed handler, source, sink, consumer, plan, summary. Its C part: ext/tickwire/feed.
"""

from tickwire.feed.book_view import BookView
from tickwire.feed.consumer import BatchConsumer, LightConsumer
from tickwire.feed.following import GapEvent, GapStream, ReconnectEvent
from tickwire.feed.handler import FeedHandler
from tickwire.feed.loops import run
from tickwire.feed.row_queue import QueueEmpty, QueueFull, QueueShutDown
from tickwire.feed.rows import RowConsumer
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
