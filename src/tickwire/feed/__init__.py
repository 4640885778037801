"""The handler: builds the pipeline from a configuration, supervises, shuts down.

Knows nothing of: the command line.
Words: feed handler, source, sink, consumer, plan, summary. Its C part: nowhere.
"""

from tickwire.feed.consumer import BatchConsumer
from tickwire.feed.following import GapEvent, GapStream, ReconnectEvent
from tickwire.feed.handler import FeedHandler
from tickwire.feed.loops import run
from tickwire.feed.row_queue import QueueEmpty, QueueFull, QueueShutDown
from tickwire.feed.summary import Status

__all__ = [
    "BatchConsumer",
    "FeedHandler",
    "GapEvent",
    "GapStream",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "ReconnectEvent",
    "Status",
    "run",
]
