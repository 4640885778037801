"""The market's own bursts: every message's way to the rings and to every `async for`."""

import numpy as np
from benchmarks.captures.cases import BINANCE_CAPTURE
from benchmarks.latency.bursts import PublishNotes, faults_of, measure_bursts, taken_at
from tests.benchmarks.recording import write_capture

SPEED = 1e-5  # its messages are a ns apart


def test_a_capture_is_played_measured_and_checked(tmp_path):
    n_messages = write_capture(tmp_path)
    told = []
    results = measure_bursts(
        tmp_path / BINANCE_CAPTURE.removesuffix(".zst"), 1.0, [SPEED], lead_s=0.05, tell=told.append
    )
    assert [result.pipeline.stage for result in results] == [
        "sent_to_recv",
        "sent_to_ring",
        "sent_to_batch",
    ]
    assert [result.verdict for result in results] == ["none", "right", "right"]
    assert len(told) == 3
    for result in results:
        entry = result.to_dict()
        assert entry["messages"] == n_messages
        # A message every 100 us, of which those of the first 50 ms do not count.
        assert abs(entry["latency_us"]["count"] - (n_messages - 500)) <= 1
        assert entry["latency_us"]["p50"] > 0
        assert result.what == "binance capture x1e-05"
        assert result.label.startswith(f"{result.pipeline.stage}-binance-capture-x1e-05-")
    ring, batch = (result.to_dict()["latency_us"] for result in results[1:])
    # Nothing is in a batch before it is in its ring.
    assert all(batch[name] >= ring[name] for name in ("p50", "p99", "p999", "max"))


def test_a_message_is_in_the_rings_with_the_last_publish_of_its_read():
    notes = PublishNotes()
    # Two sources; a read of the first publishes two rings, one of the second one ring.
    notes.add(100, (2, 0), (1, 0))
    notes.add(105, (2, 0), (1, 4))
    notes.add(200, (2, 3), (2, 4))
    notes.add(300, (5, 3), (2, 9))
    times_ns, rows = notes.arrivals([np.array([1, 2, 2, 3, 4, 5]), np.arange(1, 4)])
    assert [own.tolist() for own in times_ns] == [
        [105, 105, 105, 300, 300, 300],
        [200, 200, 200],
    ]
    assert rows[0].tolist() == [[1, 4]] * 3 + [[2, 9]] * 3
    assert rows[1].tolist() == [[2, 4]] * 3


def test_a_message_is_taken_when_every_table_is():
    wanted = np.array([[1, 0], [1, 4], [2, 4]])
    notes = [[(110, 1), (250, 2)], [(120, 3), (190, 9)]]
    published = np.array([100, 105, 200])
    assert taken_at(wanted, notes, published).tolist() == [110, 190, 250]
    # What has no rows was there when it was published.
    assert taken_at(np.zeros((1, 2), np.int64), notes, np.array([100])).tolist() == [100]


def test_rows_are_counted():
    payloads = [
        b'{"stream":"btcusdt@trade","data":{"e":"trade"}}',
        b'{"stream":"btcusdt@trade","data":{"e":"trade","X":"MARKET"}}',
        b'{"stream":"btcusdt@trade","data":{"e":"trade","X":"INSURANCE_FUND"}}',
        b'{"stream":"btcusdt@bookTicker","data":{"u":1}}',
        b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate"}}',
    ]
    assert faults_of({"trades": 2, "quotes": 1, "book": 7}, payloads) == []
    assert faults_of({"trades": 3, "book": 7}, payloads) == [
        "3 rows of trades instead of 2",
        "0 rows of quotes instead of 1",
    ]
