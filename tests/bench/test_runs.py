"""A pipeline's runs: each in a process of its own, measured and checked."""

from dataclasses import replace

import pytest

from tickwire.bench.cases import CASES, Amount
from tickwire.bench.jobs import EMPTY, RECV, TICKWIRE, Job
from tickwire.bench.processes import ReceiverProcess
from tickwire.bench.runs import Wanted, measure
from tickwire.bench.senders import Preparation
from tickwire.bench.worker import PIPELINES, receive_baseline, receive_by_tickwire
from tickwire.errors import TickwireError

# More than one read brings, so that the warm-up's does not bring the rest, too.
SMALL = replace(CASES["trades/ws"], fast=Amount(2_000, 60_000), tape_messages=2_000)
BY_NAME = {each.name: each for each in PIPELINES}


def test_a_small_case_has_whole_passes_and_the_symbols_of_the_load():
    small = CASES["trades/ws"].of_messages(200)
    assert (small.fast, small.tape_messages) == (Amount(200, 200), 200)
    assert small.symbols == ("BTC",)
    shared = CASES["trades/ws, 8 connections"].of_messages(1000)
    assert shared.tape_messages % 64 == 0
    assert shared.symbols == tuple(f"C00{number}" for number in range(8))
    assert [part.coins for part in shared.spec(shared.fast.n_messages).parts()] == [
        (symbol,) for symbol in shared.symbols
    ]


def test_pipelines_are_measured_in_turn_and_checked():
    told = []
    wanted = [Wanted(SMALL, BY_NAME[TICKWIRE[0]], 2), Wanted(SMALL, BY_NAME[RECV], 1)]
    tickwire, recv = measure(wanted, tell=told.append)
    assert [line.split()[1] for line in told] == ["1/2", "1/1", "2/2"]
    assert (tickwire.verdict, tickwire.faults) == ("right", [])
    assert [run["rows"] for run in tickwire.runs] == [62_000, 62_000]
    assert recv.verdict == "none"


@pytest.mark.parametrize("name", [TICKWIRE[0], RECV, EMPTY])
def test_a_receiver_reports_its_run(name):
    amount, reports = SMALL.fast, []
    with (
        Preparation(SMALL) as prepared,
        prepared.sending(amount.n_messages, hang_up=name == EMPTY) as sending,
    ):
        folder = prepared.answer(amount.n_messages, spliced=True)
        job = Job(
            name, SMALL, sending.endpoints, amount.n_warm, amount.n_main, sending.n_bytes, folder
        )
        receive = receive_by_tickwire if name in TICKWIRE else receive_baseline
        receive(job, reports.append)
    [report] = reports
    expected = (62_000, True) if name in TICKWIRE else (0, False)
    assert (report["rows"], report["checked"]) == expected
    assert report["faults"] == []
    assert report["cpu_ns_per_message"] > 0


def test_a_receiver_that_was_not_started_is_an_error():
    with pytest.raises(TickwireError, match="the receiver does not run"):
        ReceiverProcess(receive_baseline).begin(None)
