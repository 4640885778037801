"""What it costs to build a frame, from Python; with a mask, four random bytes are part of it."""

import pytest

from tickwire.wire import FrameParser, build_frame

SIZES = (0, 125, 126, 300, 1600, 65536)


@pytest.mark.informational
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mask", [True, False], ids=["masked", "plain"])
def test_frames(benchmark, size, mask):
    payload = bytes(size)
    frame = benchmark(build_frame, 1, payload, mask=mask)
    assert FrameParser("server" if mask else "client").receive(frame) == [(1, payload)]
