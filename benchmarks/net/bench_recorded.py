"""What it costs the loop to record a message, beside parsing and decoding it.

Reads of 64 KiB go to published rows, as in `bench_receiver`, and each message is recorded; the
memory is emptied after each round, not by a writer.
`benchmarks/recording.py` measures a whole feed.
"""

import pytest
from benchmarks.in_process import Frames, InProcessPipeline
from benchmarks.rounds import measure

from tickwire.capture._record_buffer import RecordBuffer
from tickwire.net import Receiver, RecordedHandler

N_READS = 20


@pytest.mark.informational
@pytest.mark.parametrize("is_recorded", [False, True], ids=["plain", "recorded"])
def test_reads_to_rows(benchmark, tmp_path, is_recorded):
    pipeline = InProcessPipeline("trade")
    buffer = RecordBuffer(1 << 24)

    def setup():
        while taken := buffer.take(1 << 24):
            buffer.release(taken[1])
        pipeline.connect()
        if is_recorded:
            handler = RecordedHandler(pipeline.decoder.connection(1), buffer, 1, 0)
            pipeline.receiver = Receiver(handler)
            pipeline.receiver.start()
        frames.rewind()
        return (frames.descriptor, frames.read_bytes), {}

    with Frames.write(tmp_path / "frames", "trade", N_READS) as frames:
        measure(
            benchmark,
            pipeline.read,
            setup=setup,
            n_messages=frames.n_messages,
            n_bytes=sum(frames.read_bytes),
        )
        assert buffer.n_dropped_messages == 0
        assert (buffer.waiting == frames.n_messages) == is_recorded
