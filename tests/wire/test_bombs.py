"""What a bomb costs, as the system counts it: in a process of its own, resident memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from tickwire.observe._build import PROFILE

STATUS = Path("/proc/self/status")

MEASURE = """
import sys, zlib
from tickwire.errors import ProtocolError
from tickwire.wire import FrameParser, Handler, build_frame

def resident_kib(what):
    return int(open("/proc/self/status").read().partition(what + ":")[2].split()[0])

how, limit = sys.argv[1], 16 << 20
# Blocks that were flushed can follow each other: 1 GiB of zeros in 1 MiB.
encoder = zlib.compressobj(9, wbits=-15)
block = encoder.compress(bytes(8 << 20)) + encoder.flush(zlib.Z_FULL_FLUSH)
bomb = block * 128
parser = FrameParser(max_message=limit)
if how == "binary":
    parser.unpack_binary("deflate")
    frames = build_frame(2, bomb, mask=False)
else:
    parser.use_deflate()
    cut = len(bomb) if how == "whole" else 1000
    frames = build_frame(1, bomb[:cut], mask=False, rsv=4, fin=how == "whole")
    if how == "fragments":
        frames += build_frame(0, bomb[cut:], mask=False)
frames = bytearray(frames)
before = resident_kib("VmRSS")
handler = Handler()
start = parser.feed_buffer(frames, handler)
error = parser.error_as_exception()
assert error is not None and error.close_code == 1009, error
assert parser.n_messages == 0
print(max(resident_kib("VmHWM") - before, 0), parser.assembly_bytes)
"""


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells the peak in /proc/self/status")
@pytest.mark.parametrize("how", ["whole", "fragments", "binary"])
def test_a_gibibyte_in_a_mebibyte_costs_the_limit(how: str) -> None:
    command = [sys.executable, "-c", MEASURE, how]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own
    grown_kib, held_bytes = map(int, told.stdout.split())
    # The message, 16 MiB; zlib's window and state; the packed one where it came in pieces.
    most_kib = (16 + 3) * 1024
    if PROFILE in ("asan", "fuzz"):
        most_kib += most_kib // 8  # the sanitizer's shadow: a byte of each eight
    assert grown_kib < most_kib
    assert held_bytes <= 2 * (16 << 20) + 1
