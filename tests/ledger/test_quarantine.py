"""Messages that could not be decoded are kept as far as there is room; the rest is counted."""

from __future__ import annotations

from tickwire.ledger import Quarantine
from tickwire.observe import Metrics
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES


def test_what_is_kept_truncated_or_dropped_adds_up() -> None:
    ring = Ring(TABLES["quarantine"], 1024, Dictionaries())
    consumer = Consumer(ring)
    metrics = Metrics()
    quarantine = Quarantine(ring, metrics)
    payload = b"x" * quarantine.max_bytes  # half of the ring's text memory
    for is_truncated in (False, True, False, False):
        quarantine.keep("okx", "not_json", payload, ts_recv=7, conn=3, is_truncated=is_truncated)
    batch = consumer.take()
    assert batch is not None
    n_kept = batch.num_rows
    assert 2 <= n_kept < 4
    assert batch.column("payload").to_pylist() == [payload] * n_kept
    assert batch.column("conn").to_pylist() == [3] * n_kept
    assert metrics.registry.by("quarantine_dropped", "venue") == {"okx": 4 - n_kept}
    assert metrics.registry.by("quarantine_truncated", "venue") == {"okx": 1}
