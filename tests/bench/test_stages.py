"""Every stage is measured from due times, over real sockets, and its answer is compared."""

import asyncio
import json
import socket
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tickwire.bench import receivers
from tickwire.bench.arrivals import Arrivals
from tickwire.bench.hgrm import percentile_lines
from tickwire.bench.latency import write_histograms
from tickwire.bench.open_loop import OpenLoopServer, StretchReport
from tickwire.bench.outcomes import StagePipeline, StageResult
from tickwire.bench.raw_server import RawConnection
from tickwire.bench.receivers import KeptBatches, Plan, Progress, follow
from tickwire.bench.reference import ReferenceTrades
from tickwire.bench.schedule import Stretch, TradeLoad
from tickwire.bench.sender import SenderProcess
from tickwire.bench.stages import (
    BARE_RECV,
    STAGES,
    TO_BATCH,
    TO_RING,
    Pace,
    measure_commits,
    measure_stages,
)
from tickwire.errors import TickwireError
from tickwire.net.carriers import protocol

PACES = [Pace(2_000.0, 0.1, 2), Pace(20_000.0, 0.05, 1)]


def quiet(_line):
    """Show nothing."""


def test_stages_are_measured_in_turn_and_checked(tmp_path):
    told = []
    results = measure_stages(STAGES, PACES, tell=told.append, n_warm=500)
    assert [(each.pipeline, each.rate) for each in results] == [
        (pipeline, pace.rate) for pace in PACES for pipeline in STAGES
    ]
    # A B C A B C at the first pace.
    stages = [line.split()[3] for line in told]
    assert stages == ["sent_to_recv", "sent_to_ring", "sent_to_batch"] * 3
    for result in results:
        entry = json.loads(json.dumps(result.to_dict()))
        assert result.faults == []
        assert entry["checked"] == (result.pipeline is not BARE_RECV)
        n_messages = sum(
            pace.n_messages * pace.n_runs for pace in PACES if pace.rate == result.rate
        )
        assert entry["messages"] == n_messages
        assert entry["offered_rate"] == result.rate
        assert entry["cpu_ns_per_message"] > 0
        latency_us = entry["latency_us"]
        assert 0 < latency_us["p50"] <= latency_us["p99"] <= latency_us["p999"] <= latency_us["max"]
        # The first 50 ms of each run do not count.
        assert result.histogram.count == latency_us["count"]
        assert latency_us["count"] >= len(result.runs)
        assert result.histogram.max == round(latency_us["max"] * 1000)
    files = write_histograms(results, tmp_path / "files")
    assert len(set(files)) == len(results) == len(list((tmp_path / "files").iterdir()))
    for path, result in zip(files, results, strict=True):
        assert path.name.startswith(f"{result.pipeline.stage}-{result.rate / 1000:g}k-")
        assert f"{percentile_lines(result.histogram)[-1][0]:.3f} 1.0" in path.read_text()


def test_commits_are_measured_and_the_file_is_compared():
    (result,) = measure_commits([Pace(5_000.0, 0.4, 1)], tell=quiet, n_warm=300)
    assert result.faults == []
    assert result.checked
    (run,) = result.runs
    assert run["dropped_rows"] == 0
    assert run["commits"] == run["write_us"]["count"] > 0
    assert result.to_dict()["rows"] == 2_000


def receive_with_a_stall(plan, report):
    """Read nothing for a while in the middle of the second stretch."""
    add = receivers.Notes.add
    middle = plan.message_bytes * (plan.n_messages[0] + plan.n_messages[1] // 2)

    def add_slowly(self, now_ns, n_bytes):
        before = self.counts[-1] if self.counts else 0
        add(self, now_ns, n_bytes)
        if before < middle <= n_bytes:
            time.sleep(0.2)

    receivers.Notes.add = add_slowly  # in a process of its own
    receivers.receive_bytes(plan, report)


def test_a_receiver_that_stalls_shows_in_the_histogram():
    stalling = StagePipeline("recv with a stall", "sent_to_recv", receive_with_a_stall, False)
    pace = Pace(1_000.0, 1.0, 1)
    (result,) = measure_stages([stalling], [pace], tell=quiet, n_warm=100)
    # 200 ms at 1,000 messages a second: the 200 that were due meanwhile are late, each by what was
    # left of the stall, half of them by more than 100 ms. Were they counted from when they were
    # read off the socket, or sent by a sender that waits, one at most would be.
    n_late = sum(count for low, _, count in result.histogram.items() if low >= 100_000_000)
    assert n_late >= 90
    assert result.to_dict()["latency_us"]["max"] >= 190_000


def receive_wrongly(plan, report):
    """Change the prices."""

    def report_wrongly(arrivals):
        arrivals.columns["price"] = arrivals.columns["price"] + 1
        report(arrivals)

    receivers.receive_to_ring(plan, report_wrongly)


def test_a_wrong_answer_does_not_count():
    wrong = StagePipeline("wrong", "sent_to_ring", receive_wrongly)
    (result,) = measure_stages([wrong], [Pace(1_000.0, 0.1, 1)], tell=quiet, n_warm=100)
    assert result.faults == ["price differs"]
    assert not result.checked
    assert result.verdict == "WRONG"


def receive_nothing_at_all(plan, report):
    """Fail."""
    raise TickwireError("no luck")


def test_a_receiver_that_fails_is_an_error():
    failing = StagePipeline("failing", "sent_to_ring", receive_nothing_at_all)
    with pytest.raises(TickwireError, match="no luck"):
        measure_stages([failing], [Pace(1_000.0, 0.1, 1)], tell=quiet, n_warm=10)


def test_a_run_that_does_not_fit_into_a_ring_is_refused():
    with pytest.raises(ValueError, match="1 to 240000"):
        measure_stages([TO_RING], [Pace(100_000.0, 3.0, 1)], tell=quiet)


@pytest.mark.parametrize("stage", [TO_RING, TO_BATCH])
async def test_a_feed_notes_every_row_on_either_loop(stage):
    load = TradeLoad(n_different=100, n_repeats=3)
    tape = load.record()
    note = receivers.note_publishes if stage is TO_RING else receivers._to_batch
    with OpenLoopServer(load) as server:
        plan = Plan(server.urls[0], (150, 300, 300), int(tape.ends[0]))
        reports = []
        feeding = asyncio.create_task(receivers.run_feed(plan, reports.append, note))
        sent = [
            await asyncio.to_thread(server.send, stretch)
            for stretch in (Stretch(150), Stretch(300, 3_000.0), Stretch(300, 30_000.0))
        ]
        await feeding
    assert len(reports) == 3
    known = ReferenceTrades(tape)
    for n_before, arrivals, report in zip((150, 450), reports[1:], sent[1:], strict=True):
        assert known.faults(arrivals.columns, report) == []
        assert (np.diff(arrivals.counts) > 0).all()
        assert arrivals.counts[-1] == n_before + 300
        assert (arrivals.latency_ns(report.due_ns, n_before) > 0).all()
        assert arrivals.extra["read_to_ring_us"]["count"] == 300


async def test_a_stretch_is_over_with_its_last_message():
    progress, reports = Progress(), []
    plan = Plan("", (2, 3), 1)
    following = asyncio.create_task(
        follow(plan, progress, reports.append, lambda first, stop: {"range": (first, stop)})
    )
    for count in (1, 2):
        progress.add(count * 10, count)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [each.counts.tolist() for each in reports] == [[1, 2]]
    progress.add(50, 5)
    await following
    assert [each.columns for each in reports] == [{"range": (0, 2)}, {"range": (2, 5)}]


def test_what_is_not_the_schedules_is_told():
    tape = TradeLoad(n_different=4).record()
    known = ReferenceTrades(tape)
    due_ns = np.arange(8) * 1000
    sent = StretchReport(10**18, due_ns + 5_000, np.zeros(8, np.int64), 0, 0.0, 0.0)
    right = {
        "trade_id": 10**18 + due_ns,
        "price": np.tile(known.columns["price"], 2),
        "size": np.tile(known.columns["size"], 2),
    }
    assert known.faults(right, sent) == []
    assert known.faults({**right, "trade_id": right["trade_id"][:7]}, sent) == [
        "7 rows instead of 8"
    ]
    twice = right["trade_id"].copy()
    twice[3] = twice[2]
    assert known.faults({**right, "trade_id": twice}, sent) == [
        "trade_id: not those of the schedule, or not in order"
    ]
    assert known.faults({**right, "size": right["size"] + 1}, sent) == ["size differs"]
    assert known.faults({}, sent) == ["0 rows instead of 8"]


def test_a_checkpoint_is_reported_apart():
    n_messages = 1000
    due_ns = np.arange(n_messages) * 1_000_000
    sent = StretchReport(0, due_ns, np.zeros(n_messages, np.int64), 0, 1.0, 0.0)
    latency_ns = np.full(n_messages, 2_000_000)
    latency_ns[500:600] = (700 - np.arange(500, 600)) * 1_000_000
    times_ns = np.maximum.accumulate(due_ns + latency_ns)
    arrivals = Arrivals(times_ns, np.arange(1, n_messages + 1), 0)
    arrivals.stalls_ns = [(int(due_ns[500]), int(due_ns[700]))]
    result = StageResult(replace(BARE_RECV, stage="sent_to_commit"), 1_000.0)
    result.add(arrivals, sent, 0)
    entry = result.to_dict()
    # The one due before it began and not yet committed, and the 200 due while it went on.
    assert entry["stalled_latency_us"]["count"] == 201
    assert entry["stalled_latency_us"]["max"] == 200_000
    assert entry["latency_us"]["max"] == 2_000
    assert entry["latency_us"]["count"] == n_messages - 50 - 201


async def test_the_cpu_of_a_read_with_one_message_is_taken(monkeypatch):
    monkeypatch.setattr(
        protocol, "ProtocolCarrier", protocol.ProtocolCarrier
    )  # put back at the end
    load = TradeLoad(n_different=1)
    reports = []
    with OpenLoopServer(load) as server:
        plan = Plan(server.urls[0], (1,), int(load.record().ends[0]))
        feeding = asyncio.create_task(receivers._reads(plan, reports.append))
        await asyncio.to_thread(server.send, Stretch(1, 1_000.0))
        await feeding
    [arrivals] = reports
    assert arrivals.counts[-1] == 1
    assert arrivals.extra["read_cpu_us"]["count"] == 1
    assert arrivals.extra["read_cpu_us"]["max"] > 0


def test_a_consumers_batches_are_those_of_the_ring():
    rows = pa.RecordBatch.from_pydict({"price": [1.0, 2.0, 4.0, 8.0]})
    kept = KeptBatches()
    kept.add(10, rows.slice(0, 2))
    kept.add(8, rows.slice(2, 2))  # older than what the ring still has
    kept.compare(10, rows)
    kept.add(11, rows.slice(2, 2))
    with pytest.raises(TickwireError, match="from row 11 on"):
        kept.compare(10, rows)


def test_prices_that_were_read_are_given_once():
    kept = KeptBatches()
    kept.n_priced, kept.price_sum = 2, 12.0
    assert kept.take_prices() == {"n_priced": 2, "price_sum": 12.0}
    assert kept.take_prices() == {}


def leave_in_the_middle(_load, pipe):
    """Open a WebSocket, and send half of one message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        connected, _ = listener.accept()
        with connected:
            client = RawConnection(connected)
            client.shake_hands()
            while not client.n_requests:
                client.answer(1.0)
            client.send(bytes(50))
            client.hang_up()


def test_a_sender_that_leaves_is_an_error_of_the_bare_reader():
    with SenderProcess(leave_in_the_middle, None) as server:
        plan = Plan(f"ws://127.0.0.1:{server.address}/ws", (1,), 100)
        with pytest.raises(TickwireError, match="the sender left"):
            receivers.receive_bytes(plan, quiet)
