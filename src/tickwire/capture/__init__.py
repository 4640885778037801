"""Reads and writes captures.

Knows nothing of: who plays them. Words: capture, message, answer, receive time.
Its C part: nowhere.
"""

from tickwire.capture.reader import Capture, Event, Message, RestAnswer
from tickwire.capture.writer import CaptureWriter

__all__ = ["Capture", "CaptureWriter", "Event", "Message", "RestAnswer"]
