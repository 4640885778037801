"""What the receive buffer costs on top of the frame parser, with a handler that does nothing.

Each round brings reads of 64 KiB whose frames do not end where the reads end, in each of the three
ways in which a carrier can bring them. Filling the memory of `get_buffer` stands for the kernel's
copy and is part of it.
"""

import pytest
from benchmarks.rounds import measure

from tickwire.session import Receiver
from tickwire.wire import Handler, MessageQueue, build_frame

READ_BYTES = 65_536
N_READS = 20
PAYLOAD = (b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"64000.5"}]}' * 5)[:300]


def reads():
    """Give reads that cut frames anywhere, and how many whole frames they hold."""
    frame = build_frame(1, PAYLOAD, mask=False)
    n_frames = N_READS * READ_BYTES // len(frame)
    stream = frame * (n_frames + 1)
    return [stream[i * READ_BYTES : (i + 1) * READ_BYTES] for i in range(N_READS)], n_frames


def fill(receiver, given):
    for data in given:
        while data:
            memory = receiver.get_buffer(-1)
            n = min(len(memory), len(data))
            memory[:n] = data[:n]
            receiver.buffer_updated(n)
            data = data[n:]


def hand_over(receiver, given):
    for data in given:
        receiver.receive_bytes(data)


def started(handler):
    receiver = Receiver(handler)
    receiver.start()
    return receiver


@pytest.mark.informational
@pytest.mark.parametrize("bring", [fill, hand_over])
def test_reads(benchmark, bring):
    given, n_frames = reads()
    queue = MessageQueue(max_bytes=1 << 40)
    bring(started(queue), given)
    assert len(queue) == n_frames
    assert {queue.take().payload for _ in range(n_frames)} == {PAYLOAD}

    def run(receiver):
        bring(receiver, given)
        assert receiver.parser.n_messages == n_frames

    measure(
        benchmark,
        run,
        setup=lambda: ((started(Handler()),), {}),
        n_messages=n_frames,
        n_bytes=n_frames * len(PAYLOAD),
    )


@pytest.mark.informational
def test_frames_read_by_somebody_else(benchmark):
    n_frames, per_read = 2000, 200

    def run(receiver):
        for i in range(n_frames):
            receiver.receive_frame(0x81, PAYLOAD, i % per_read == 0, i % per_read == per_read - 1)
        assert receiver.parser.n_messages == n_frames

    queue = MessageQueue(max_bytes=1 << 40)
    run(started(queue))
    assert {queue.take().payload for _ in range(n_frames)} == {PAYLOAD}
    measure(
        benchmark,
        run,
        setup=lambda: ((started(Handler()),), {}),
        n_messages=n_frames,
        n_bytes=n_frames * len(PAYLOAD),
        rounds=100,
    )
