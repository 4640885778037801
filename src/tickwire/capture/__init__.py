"""Reads and writes captures and recordings.

Knows nothing of: who plays them. Words: capture, recording, block, message, answer, receive time.
Its C part: ext/tickwire/capture.
"""

from tickwire.capture.digest import digest_of
from tickwire.capture.reader import Capture, Event, Message, RestAnswer
from tickwire.capture.recorder import Recorder
from tickwire.capture.recording import Recording, Row
from tickwire.capture.writer import CaptureWriter

__all__ = [
    "Capture",
    "CaptureWriter",
    "Event",
    "Message",
    "Recorder",
    "Recording",
    "RestAnswer",
    "Row",
    "digest_of",
]
