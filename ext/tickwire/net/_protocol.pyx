"""The carrier `protocol`: an asyncio.BufferedProtocol on the receive buffer.

The loop reads into memory of the `Receiver` and then calls `buffer_updated`, which parses it: no
copy, and two Python calls per read. The handshake is read apart, into a small buffer of its own.

A loop may read one socket many times before it turns to anything else. After TURN_BYTES without a
small read between them, or once what they have become is as much, the connection rests until the
loop's next turn, so that consumers run and other connections get their share; with many connections
the ring would else fill in one turn, and rows would leave the cache before they are taken.

asyncio wants a protocol to derive from `asyncio.BufferedProtocol`, and an extension type cannot
have a Python class as its first base; `DirectReader` is that base.
"""

cimport cython

import asyncio
import os

from libc.errno cimport EAGAIN, EINTR
from libc.stdint cimport int64_t

from tickwire.net._direct cimport Direct, DirectReader, tw_spin_slot
from tickwire.net._receiver cimport SMALL_READ_BYTES, Receiver

from tickwire import errors
from tickwire.net.backlog import has_unread

cdef enum:
    OPENING_BYTES = 4096
    TURN_BYTES = 2_097_152

LINGER_S = 1.0  # how long a peer that sends no more may take what is unsent


cdef class ProtocolCarrier(DirectReader, asyncio.BufferedProtocol):
    """A WebSocket connection's bytes, by way of the loop's own transport.

    Parameters
    ----------
    receiver
        Takes everything after the handshake.
    request
        The opening handshake, sent when the transport is there.
    answer
        A `HandshakeResponse`, which reads the answer.
    """

    def __init__(self, Receiver receiver not None, bytes request not None, answer not None):
        self.fd = -1
        self.receiver = receiver
        self.request = request
        self.answer = answer
        self.opening_bytes = bytearray(OPENING_BYTES)
        self.loop = asyncio.get_running_loop()
        self.opened = self.loop.create_future()
        self.lost = self.loop.create_future()

    # What the transport calls.

    def connection_made(self, transport):
        """Send the handshake."""
        self.transport = transport
        if self.opened.done():  # it failed already: see `_open`
            transport.abort()
            return
        transport.write(self.request)

    # Both without what binds a function of Python: the transport calls them for each read.

    @cython.binding(False)
    def get_buffer(self, Py_ssize_t sizehint):
        """Give the memory for the next read."""
        if self.is_open:
            return self.receiver.view()
        # A view: asyncio's TLS slices what it gets, and a slice of a bytearray is a copy.
        return memoryview(self.opening_bytes)

    @cython.binding(False)
    def buffer_updated(self, Py_ssize_t nbytes):
        """Parse what was read."""
        if self.is_open:
            self.receiver.note_read(<size_t>nbytes)
            if nbytes < SMALL_READ_BYTES:  # the kernel had no more: it ends the count
                self.turn_bytes = self.receiver.handler.n_written_bytes = 0
                return
            self.turn_bytes += nbytes
            if not self.resting and (
                self.turn_bytes >= TURN_BYTES
                or self.receiver.handler.n_written_bytes >= TURN_BYTES
            ):
                self._rest()
        else:
            self._open(bytes(memoryview(self.opening_bytes)[:nbytes]))

    def eof_received(self):
        """Let the transport close itself once all is sent; a peer that takes nothing is left."""
        self.loop.call_later(LINGER_S, self.abort)
        return False

    def connection_lost(self, exc):
        """Wake the waiting task."""
        if not self.opened.done():
            self.opened.set_exception(exc or self._early_end())
            self.opened.exception()  # retrieved: its opener may have been cancelled
        self.fd = -1
        if self.writable is not None:
            self.writable.set_result(None)
            self.writable = None
        if not self.lost.done():
            self.lost.set_result(self.failure or exc)

    def pause_writing(self):
        """Hold back `drain`."""
        if self.writable is None:
            self.writable = self.loop.create_future()

    def resume_writing(self):
        """Let `drain` go on."""
        if self.writable is not None:
            self.writable.set_result(None)
            self.writable = None

    # What the connection calls.

    def begin(self):
        """Read on after the handshake."""
        if not self.transport.is_closing():
            if self.transport.get_extra_info("sslcontext") is None:
                self.fd = self.transport.get_extra_info("socket").fileno()
            self.resume_reading()

    def write(self, bytes data not None):
        """Send, or drop where the transport takes no more: `lost` is about to tell."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def unsent_bytes(self):
        """Give how much waits to be sent."""
        return self.transport.get_write_buffer_size()

    def has_unread(self, *, bint or_end=True):
        """Tell whether bytes, or the end if that counts, have come and wait to be read."""
        return has_unread(self.transport, or_end=or_end)

    async def drain(self):
        """Wait until the transport takes more; ConnectionResetError if it never will."""
        if self.writable is not None:
            await asyncio.shield(self.writable)
        if self.transport.is_closing():
            raise ConnectionResetError("connection lost")

    def pause_reading(self):
        """Read no more for now."""
        self.stopped = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self):
        """Read on."""
        self.stopped = False
        self._read_on()

    def go_on(self):
        """Read on after a rest; the loop calls it."""
        self.resting = False
        self._read_on()

    def close(self):
        """Send what waits, then close."""
        self.transport.close()

    def abort(self):
        """Close at once."""
        if not self.lost.done():
            self.transport.abort()

    # What reads beside the transport calls.

    cdef bint find_room(self, tw_spin_slot* slot) noexcept:
        if self.fd < 0 or self.stopped or self.resting or self.failure is not None:
            return False
        slot.fd = self.fd
        slot.room = self.receiver.find_room(&slot.at)
        return slot.room > 0

    cdef int took(self, int64_t n_read, int error) except -1:
        if n_read > 0:
            try:
                self.receiver.note_read(<size_t>n_read)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as raised:
                self.fail(raised)
            return Direct.SOME
        if n_read == 0:
            return Direct.LEAVE
        if error == EAGAIN or error == EINTR:
            return Direct.NOTHING
        self.failure = OSError(error, os.strerror(error))
        return Direct.LEAVE

    cdef int fail(self, object raised) except -1:
        """Do what a transport does where `buffer_updated` raises."""
        self.failure = raised
        self.loop.call_exception_handler(
            {
                "message": "Fatal error: what was read could not be taken",
                "exception": raised,
                "transport": self.transport,
                "protocol": self,
            }
        )
        self.abort()
        return 0

    cdef int _rest(self) except -1:
        self.turn_bytes = self.receiver.handler.n_written_bytes = 0
        if not self.transport.is_closing():
            self.resting = True
            self.transport.pause_reading()
            self.loop.call_soon(self.go_on)
        return 0

    cdef int _read_on(self) except -1:
        if not (self.stopped or self.resting or self.transport.is_closing()):
            self.transport.resume_reading()
        return 0

    cdef int _open(self, bytes data) except -1:
        try:
            if not self.answer.receive(data):
                return 0
        except errors.HandshakeError as error:
            if not self.opened.done():
                self.opened.set_exception(error)
            # A server that speaks first may be heard before TLS has reported the connection.
            if self.transport is not None:
                self.transport.abort()
            return 0
        self.is_open = True
        # Until the connection is set up nothing could take control frames or pause: not yet.
        self.pause_reading()
        if self.answer.rest:
            self.receiver.receive_bytes(self.answer.rest)
        if not self.opened.done():
            self.opened.set_result(None)
        return 0

    cdef object _early_end(self):
        try:
            self.answer.receive_eof()
        except errors.HandshakeError as error:
            return error
