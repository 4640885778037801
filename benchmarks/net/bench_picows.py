"""What the carrier `picows` adds to picows itself: an empty listener beside tickwire.

The frames, the sender and its warnings are those of `bench_protocol`.
"""

import asyncio
import socket
import threading

import picows
import pytest
from benchmarks.net.bench_protocol import LOOPS, N_FRAMES, PAYLOAD, one_connection, serve
from benchmarks.rounds import measure

from tickwire.wire import Handler


class Counting(picows.WSListener):
    """Looks at nothing but how many frames there are."""

    def __init__(self):
        self.n_frames = 0

    def on_ws_frame(self, transport, frame):
        """Count, and leave at the end."""
        self.n_frames += 1
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()


def picows_alone(listener, loop, n_frames):
    async def take_all():
        port = listener.getsockname()[1]
        transport, counting = await picows.ws_connect(Counting, f"ws://127.0.0.1:{port}/")
        await transport.wait_disconnected()
        return counting.n_frames - 1

    sender = threading.Thread(target=serve, args=(listener, n_frames))
    sender.start()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        n_messages = runner.run(take_all())
    sender.join()
    return n_messages


def carrier(listener, loop, n_frames):
    return one_connection(listener, "picows", loop, Handler(), n_frames)


@pytest.mark.informational
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("run", [picows_alone, carrier])
def test_picows(benchmark, run, loop):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once():
            assert run(listener, loop, N_FRAMES) == N_FRAMES

        n_bytes = N_FRAMES * len(PAYLOAD)
        measure(benchmark, once, n_messages=N_FRAMES, n_bytes=n_bytes, rounds=5)
