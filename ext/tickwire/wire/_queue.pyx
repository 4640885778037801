"""A handler that keeps messages as Python objects, for code that wants them one by one."""

from libc.stdint cimport int64_t, uint8_t

from tickwire.wire._handler cimport Handler, Verdict

from collections import deque
from inspect import signature

from tickwire.wire.events import Message


cdef class MessageQueue(Handler):
    """Messages that wait to be taken, bounded by their bytes.

    Parameters
    ----------
    max_bytes
        Past this many bytes, messages are blocked: they stay with the parser, which offers them
        again. An empty queue takes a message of any size, so that none blocks for ever. Each
        message counts its payload and `MESSAGE_BYTES`, so that empty ones are bounded too.
    max_messages
        Asks the parser to stop after the message with this number, counted from 1; 0: never.

    Raises
    ------
    ValueError
        If `max_bytes` is not positive, or `max_messages` is negative.
    """

    __signature__ = signature(lambda max_bytes=16_777_216, *, max_messages=0: None)

    def __cinit__(self, *_arguments, **_options):
        self.waiting = deque()

    def __init__(self, max_bytes: int = 16_777_216, *, max_messages: int = 0):
        if not 0 < max_bytes < 1 << 63:
            raise ValueError(f"max_bytes must be positive and below 2**63, not {max_bytes}")
        if max_messages < 0:
            raise ValueError(f"max_messages must not be negative, not {max_messages}")
        self.max_bytes = max_bytes
        self.max_messages = max_messages

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        """Copy a message into the queue.

        Shape    n bytes at `payload`, borrowed for this call.
        Units    bytes.
        Returns  TAKEN, HALT at message `max_messages`, BLOCKED when the queue is full.
        Threads  the loop's; takes the GIL.
        Memory   one Python object per message: this is not the hot path of a feed.
        Source   none.
        """
        if self.n_bytes > 0 and <int64_t> n + MESSAGE_BYTES > self.max_bytes - self.n_bytes:
            return Verdict.BLOCKED
        with gil:
            return self._add(opcode, payload, n)

    cdef int _add(self, int opcode, const uint8_t* payload, size_t n) noexcept:
        try:
            # A plain tuple: making a Message runs Python code, where a signal could raise.
            self.waiting.append((opcode, (<const char*> payload)[:n]))
        except MemoryError:
            return Verdict.BLOCKED
        self.n_bytes += <int64_t> n + MESSAGE_BYTES
        self.has_events = True
        self.n_messages += 1
        return Verdict.HALT if self.n_messages == self.max_messages else Verdict.TAKEN

    def take(self):
        """The oldest message, or None.

        Returns
        -------
        Message or None
            Its opcode and its payload, which is a copy.
        """
        if not self.waiting:
            return None
        message = Message._make(self.waiting.popleft())
        self.n_bytes -= len(message.payload) + MESSAGE_BYTES
        return message

    def __len__(self):
        return len(self.waiting)
