"""The listener of the carrier `picows`."""

import asyncio

from picows import WSFrame, WSListener, WSTransport

from tickwire.net._receiver import Receiver

class Listener(WSListener):
    """Gives each frame of a picows connection to a `Receiver`."""

    receiver: Receiver
    first: bool
    writable: asyncio.Future[None] | None
    def __init__(self, receiver: Receiver) -> None: ...
    def on_ws_connected(self, transport: WSTransport) -> None: ...
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
