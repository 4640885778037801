"""The frame parser for Python, sans-I/O: bytes in, messages out.

`receive` takes bytes as they come and keeps what is unfinished; `feed_buffer` is the C interface,
for callers with a buffer of their own. What a frame is stands in _parser.pyx.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport uint8_t

from tickwire.wire._handler cimport Handler
from tickwire.wire._parser cimport Parser
from tickwire.wire._queue cimport MessageQueue
from tickwire.wire._rules cimport Fault

from inspect import signature

from tickwire.wire.events import Control, Message


cdef class FrameParser(Parser):
    """A sans-I/O parser of RFC 6455 frames for one connection.

    Parameters
    ----------
    role
        Whose end this is: "client" takes unmasked frames, "server" masked ones.
    max_frame
        The largest payload of a frame, bytes; more is fault 1009.
    max_message
        The largest payload of a message, bytes; more is fault 1009.
    in_place_limit
        Messages of one frame up to this size are read where they lie; half the receive buffer is
        right. Only for callers of the C interface.

    Raises
    ------
    ValueError
        If the role is neither, or a limit is out of range.
    """

    __signature__ = signature(
        lambda role="client", *, max_frame=16_777_216, max_message=16_777_216,
        in_place_limit=131_072: None
    )

    def __cinit__(
        self,
        role: str = "client",
        *,
        max_frame: int = 16_777_216,
        max_message: int = 16_777_216,
        in_place_limit: int = 131_072,
    ):
        self.inbox = MessageQueue(max_bytes=(1 << 63) - 1)
        self.rest = bytearray()
        self.found = []

    def feed_buffer(self, buffer: bytearray | memoryview, Handler handler not None) -> int:
        """Do what the C method `feed` does.

        Parameters
        ----------
        buffer
            Writable bytes; payloads of a client are unmasked in it.
        handler
            Gets the messages.

        Returns
        -------
        int
            How many bytes from the front are done with.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            return self.feed(<uint8_t*> view.buf, <size_t> view.len, handler)
        finally:
            PyBuffer_Release(&view)

    def receive(self, data: bytes | bytearray | memoryview) -> list[Message | Control]:
        """Take bytes as they come from the peer.

        Parameters
        ----------
        data
            Any number of bytes; an unfinished frame is kept until the rest of it comes.

        Returns
        -------
        list of Message and Control
            What is whole now, in its order on the wire. Nothing comes after a close.

        Raises
        ------
        ProtocolError
            If the peer broke RFC 6455, now and at every later call. What came before is given by
            `take_events`.
        """
        cdef size_t start = 0
        cdef Py_ssize_t used
        self.stop_at_control = True
        if self.closed or self.error != Fault.NO_FAULT:
            self.raise_error()
            return []
        self.rest += data
        while True:
            used = self.feed(
                <uint8_t*> PyByteArray_AS_STRING(self.rest) + start,
                <size_t> len(self.rest) - start,
                self.inbox,
            )
            start += <size_t> used
            self.found.extend(iter(self.inbox.take, None))
            self.found.extend([Control(*frame) for frame in self.control.take()])
            if used == 0 or self.closed or self.error != Fault.NO_FAULT:
                break
        del self.rest[:start]
        if self.closed or self.error != Fault.NO_FAULT:
            self.rest.clear()
        self.raise_error()
        return self.take_events()

    def take_events(self) -> list[Message | Control]:
        """What `receive` found before it raised an error."""
        events = self.found
        self.found = []
        return events

    def raise_error(self) -> None:
        """Raise what the peer did wrong, if it did.

        Raises
        ------
        ProtocolError
            With the reason, the close code and the section.
        """
        error = self.error_as_exception()
        if error is not None:
            raise error
