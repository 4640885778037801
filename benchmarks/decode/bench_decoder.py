"""From payload to published rows, beside `orjson.loads` of the same bytes. Informational.

`decode` is measured through its Python face, which costs a call and a copy of the payload for each
message, and publishes each; a carrier pays none of this. All rows must be there at the end; trades
have new ids, so none is swallowed.
"""

from __future__ import annotations

import orjson
import pytest
from benchmarks.decode.payloads import CASES
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode import Decoder, Program
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import SYSTEM_TABLES, TABLES
from tickwire.venues import load

pytestmark = pytest.mark.informational

MESSAGES = 200


@pytest.mark.parametrize("name", CASES)
def test_decode(benchmark: BenchmarkFixture, name: str) -> None:
    case = CASES[name]
    tables = {name: table for name, table in TABLES.items() if name not in SYSTEM_TABLES}
    dictionaries = Dictionaries()
    rings = {name: Ring(t, 262_144, dictionaries) for name, t in tables.items()}
    program = Program(case.venue, load(case.venue).declared(extras=False), tables)
    decoder = Decoder(program, rings, dictionaries, venue=case.venue)
    connection = decoder.connection(1)
    consumer = Consumer(rings[case.table])
    batch: list[bytes] = []
    number = 0

    def setup() -> None:
        nonlocal number
        consumer.take()
        batch[:] = map(case.payload, range(number, number + MESSAGES))
        number += MESSAGES

    def decode() -> None:
        for payload in batch:
            connection.decode(payload, 1, 1)

    benchmark.pedantic(decode, setup=setup, rounds=30, warmup_rounds=3)
    benchmark.extra_info["messages"] = MESSAGES
    benchmark.extra_info["bytes_per_message"] = len(batch[0])
    found = consumer.take()
    assert found is not None
    assert found.num_rows == MESSAGES * case.n_rows
    assert decoder.errors == {}
    assert decoder.unknown_messages == 0
    assert set(found.column("symbol").to_pylist()) <= {"BTC", "BTCUSDT"}


@pytest.mark.parametrize("name", CASES)
def test_orjson(benchmark: BenchmarkFixture, name: str) -> None:
    batch = [CASES[name].payload(number) for number in range(MESSAGES)]
    last: list[object] = []

    def loads() -> None:
        for payload in batch:
            last[:] = [orjson.loads(payload)]

    benchmark.pedantic(loads, rounds=30, warmup_rounds=3)
    benchmark.extra_info["messages"] = MESSAGES
    assert orjson.dumps(last[0]) == batch[-1]
