"""A handler whose messages are recorded: each as it came, once the handler has taken it."""

from typing import final

from tickwire.capture._record_buffer import RecordBuffer
from tickwire.wire import Handler

@final
class RecordedHandler(Handler):
    """A handler in front of another one."""

    def __init__(self, inner: Handler, buffer: RecordBuffer, conn: int, origin: int) -> None: ...
    @property
    def inner(self) -> Handler: ...
