"""From a read to published rows, beside `orjson.loads` of the same bytes.

A round is one read of whole frames. In each the same messages are taken three times: by
`orjson.loads`, which builds objects and no columns; by the frame parser with a handler that does
nothing; and by the parser with the decoder. The last less the one before is the decoder alone, and
what is gated is how many times longer orjson takes.
"""

from __future__ import annotations

import json
from itertools import cycle
from statistics import median
from time import perf_counter

import orjson
import pytest
from benchmarks.decode.payloads import CASES
from benchmarks.in_process import InProcessPipeline, block, fitting
from benchmarks.rounds import judge, measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Consumer

N_BLOCKS = 12
ROUNDS = 400
# How many times faster than orjson the decoder must be.
GATES = {"trade": 10.0, "bbo": 9.0, "l2Book": 10.0}


class Reads:
    """Blocks of frames that come around, for a connection that never sees a trade twice.

    Parameters
    ----------
    name
        The case.
    """

    def __init__(self, name: str) -> None:
        self.case = CASES[name]
        self.n = fitting(name)
        self.pipeline = InProcessPipeline(name, ring_rows=1 << 15)
        self.parser_alone = InProcessPipeline(name, decodes=False)
        self.payloads = [
            [self.case.payload(number) for number in range(start, start + self.n)]
            for start in range(0, N_BLOCKS * self.n, self.n)
        ]
        self.blocks = [block(payloads) for payloads in self.payloads]
        self.numbers = cycle(range(N_BLOCKS))
        self.orjson_s: list[float] = []
        self.frames_s: list[float] = []
        self.n_rows = 0

    def setup(self) -> tuple[tuple[bytes], dict[str, object]]:
        """Time the others, then give the decoder the same read."""
        number = next(self.numbers)
        if number == 0:  # its trades have been seen: begin anew, and learn from it
            self.pipeline.connect()
            self.pipeline.receiver.receive_bytes(self.blocks[0])
            self.n_rows += self.n * self.case.n_rows
            number = next(self.numbers)
        loads = orjson.loads
        start = perf_counter()
        for payload in self.payloads[number]:
            loads(payload)
        between = perf_counter()
        self.parser_alone.receiver.receive_bytes(self.blocks[number])
        self.frames_s.append(perf_counter() - between)
        self.orjson_s.append(between - start)
        self.n_rows += self.n * self.case.n_rows
        return (self.blocks[number],), {}

    def decode(self, data: bytes) -> None:
        """Take a read."""
        self.pipeline.receiver.receive_bytes(data)

    def check(self) -> None:
        """Compare a column of the first block, and count what all rounds gave."""
        assert self.pipeline.n_rows == self.n_rows
        assert self.pipeline.decoder.errors == {}
        consumer = Consumer(self.pipeline.rings[self.case.table])
        while consumer.take() is not None:
            pass
        self.pipeline.connect()
        self.pipeline.receiver.receive_bytes(self.blocks[0])
        batch = consumer.take()
        assert batch is not None
        expected = [
            value for payload in self.payloads[0] for value in self.case.values(json.loads(payload))
        ]
        assert batch.column(self.case.column).to_pylist() == expected


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.gate if name in GATES else pytest.mark.informational)
        for name in CASES
    ],
)
def test_decode(benchmark: BenchmarkFixture, name: str) -> None:
    reads = Reads(name)
    n_bytes = sum(map(len, reads.payloads[0]))
    measure(
        benchmark,
        reads.decode,
        setup=reads.setup,
        n_messages=reads.n,
        n_bytes=n_bytes,
        rounds=ROUNDS,
    )
    reads.check()
    if benchmark.disabled:
        return
    frames_s = median(reads.frames_s)
    decoder_s = benchmark.stats["median"] - frames_s
    times = median(reads.orjson_s) / decoder_s
    to_ns = 1e9 / reads.n
    benchmark.extra_info.update(
        decoder_alone_ns=decoder_s * to_ns,
        frames_alone_ns=frames_s * to_ns,
        orjson_ns=median(reads.orjson_s) * to_ns,
        times_faster_than_orjson=times,
    )
    least = GATES.get(name)
    if least is not None:
        verdict = f"{times:.1f} times faster than orjson, must be {least:.0f}"
        judge(benchmark, verdict, times >= least)


@pytest.mark.informational
def test_one_message_from_python(benchmark: BenchmarkFixture) -> None:
    # `decode` of a connection: a call and a copy for each message, and rows published at once.
    pipeline = InProcessPipeline("bbo")
    payload = CASES["bbo"].payload(1)
    decode = pipeline.decoder.connection(2).decode

    def run() -> None:
        for _ in range(1000):
            decode(payload, 1, 1)

    measure(benchmark, run, n_messages=1000, n_bytes=1000 * len(payload), rounds=100)
    assert pipeline.decoder.messages == pipeline.n_rows
    assert pipeline.decoder.errors == {}
