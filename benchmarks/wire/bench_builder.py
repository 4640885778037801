"""What it costs to build a frame, from Python; with a mask, four random bytes are part of it."""

import pytest
from benchmarks.rounds import measure

from tickwire.wire import FrameParser, build_frame

SIZES = (0, 125, 126, 300, 1600, 65536)
N_FRAMES = 100


@pytest.mark.informational
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mask", [True, False], ids=["masked", "plain"])
def test_frames(benchmark, size, mask):
    payload = bytes(size)

    def run():
        for _ in range(N_FRAMES):
            frame = build_frame(1, payload, mask=mask)
        return frame

    n_bytes = N_FRAMES * size
    frame = measure(benchmark, run, n_messages=N_FRAMES, n_bytes=n_bytes, rounds=200)
    assert FrameParser("server" if mask else "client").receive(frame) == [(1, payload)]
