"""The listener of the carrier `picows`: a call per frame, by way of picows's Python interface.

Not by way of its .pxd: then build and run would need the very same release of picows.
"""

import asyncio

from picows import WSListener

from tickwire.net._receiver cimport Receiver


class Listener(WSListener):
    """Gives each frame of a picows connection to a `Receiver`.

    Parameters
    ----------
    receiver
        Takes the frames. The clock is read at the first frame of each of picows's reads, and the
        frames are parsed together at its last.
    """

    def __init__(self, receiver):
        self.receiver = receiver
        self.first = True
        self.writable = None

    def on_ws_connected(self, transport):
        """Read nothing until the connection is set up."""
        transport.underlying_transport.pause_reading()

    def on_ws_frame(self, transport, frame):
        """Hand a frame over: control frames and fragments too, picows leaves them to us."""
        cdef Receiver receiver = self.receiver
        cdef bint last = frame.last_in_buffer
        cdef int first_byte = frame.msg_type
        if frame.fin:
            first_byte |= 0x80
        if frame.rsv1:
            first_byte |= 0x40
        if frame.rsv2:
            first_byte |= 0x20
        if frame.rsv3:
            first_byte |= 0x10
        receiver.receive_frame(first_byte, frame.get_payload_as_memoryview(), self.first, last)
        self.first = last

    def pause_writing(self):
        """Hold back `drain`."""
        if self.writable is None:
            self.writable = asyncio.get_running_loop().create_future()

    def resume_writing(self):
        """Let `drain` go on."""
        if self.writable is not None:
            self.writable.set_result(None)
            self.writable = None
