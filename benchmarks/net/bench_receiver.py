"""What the receive buffer costs on top of the frame parser, with a handler that does nothing.

Each round brings reads of 64 KiB whose frames do not end where the reads end, in each of the three
ways in which a carrier can bring them. Filling the memory of `get_buffer` stands for the kernel's
copy and is part of it.

`test_to_the_ring` goes on to published rows, with reads that the kernel fills. Gated is that no
message makes an object of Python or allocates anything on that way, counted in another process.
"""

import pytest
from benchmarks.decode.payloads import CASES
from benchmarks.in_process import Frames, InProcessPipeline
from benchmarks.rounds import judge, measure

from benchmarks import allocations
from tickwire.net import Receiver
from tickwire.wire import Handler, MessageQueue, build_frame

READ_BYTES = 65_536
N_READS = 20
PAYLOAD = (b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"64000.5"}]}' * 5)[:300]


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    if reason := allocations.why_not():
        pytest.skip(reason)
    return allocations.counts(tmp_path_factory.mktemp("counter"))


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


@pytest.mark.gate
@pytest.mark.parametrize("case", CASES)
def test_to_the_ring(benchmark, counts, case, tmp_path):
    pipeline = InProcessPipeline(case)
    n_rows = 0

    def setup():  # a connection of its own: else its trades would have been seen
        nonlocal n_rows
        n_rows = pipeline.n_rows
        pipeline.connect()
        frames.rewind()
        return (frames.descriptor, frames.read_bytes), {}

    with Frames.write(tmp_path / "frames", case, N_READS) as frames:
        measure(
            benchmark,
            pipeline.read,
            setup=setup,
            n_messages=frames.n_messages,
            n_bytes=sum(frames.read_bytes),
            rounds=50,
        )
        pipeline.check(frames.n_messages, n_rows)
    each = counts[case]
    n_more = each["reads"] * (each["many_per_read"] - each["few_per_read"])
    verdict = (
        f"{(each['many'] - each['few']) / n_more:g} allocations per message, must be 0; "
        f"{each['many'] / each['reads']:.1f} per read, must be at most {allocations.MOST_PER_READ}"
    )
    passed = each["many"] == each["few"] <= allocations.MOST_PER_READ * each["reads"]
    # The counter is trusted where it sees the objects that a queue of messages makes.
    kept = counts[allocations.KEPT]
    judge(benchmark, verdict, passed and kept["allocations"] > kept["messages"])
