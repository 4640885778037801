"""Rings that fill at the decoder's speed, so that many rounds are no wait."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from benchmarks.decode.payloads import CASES
from benchmarks.in_process import InProcessPipeline, block, fitting

from tickwire.ring import Consumer


class Filling:
    """A ring, its consumer, and messages that give it a number of rows.

    Parameters
    ----------
    name
        The case.
    n_rows
        Of a round, at least; all that its messages give.
    """

    def __init__(self, name: str, n_rows: int) -> None:
        self.case = CASES[name]
        self.pipeline = InProcessPipeline(name, ring_rows=1 << 15)
        self.ring = self.pipeline.rings[self.case.table]
        self.consumer = Consumer(self.ring)
        n_messages = -(-n_rows // self.case.n_rows)
        self.n_rows = n_messages * self.case.n_rows
        self.payloads = [self.case.payload(number) for number in range(n_messages)]
        n = fitting(name)
        self.blocks = [block(self.payloads[at : at + n]) for at in range(0, n_messages, n)]

    def fill(self) -> None:
        """Publish the rows of a round."""
        self.pipeline.connect()  # else its trades would have been seen
        for data in self.blocks:
            self.pipeline.receiver.receive_bytes(data)
        assert self.consumer.available == self.n_rows

    def check(self, batch: pa.RecordBatch | pa.Table | None) -> None:
        """Compare a column with what the messages say."""
        assert batch is not None
        expected: list[Any] = [
            value for payload in self.payloads for value in self.case.values(json.loads(payload))
        ]
        assert batch.column(self.case.column).to_pylist() == expected
