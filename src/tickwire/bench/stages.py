"""Latency from when a trade was due to a stage of its way, at fixed rates, pipelines in turn.

Rules of this file
------------------
- Every pipeline has a sender and a receiver, each a process of its own, for the whole session; a
  stretch of messages goes to one pipeline, then to the next, A B C A B C, so that what disturbs one
  disturbs all.
- The first stretch of each is sent as fast as it goes and does not count: it fills the ring once.
- What a pipeline made of the messages is compared with what was sent; a wrong answer is reported
  and does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tickwire.bench.arrivals import Arrivals
from tickwire.bench.cases import SYMBOL
from tickwire.bench.commits import receive_to_commit
from tickwire.bench.open_loop import OpenLoopServer, StretchReport
from tickwire.bench.outcomes import StagePipeline, StageResult
from tickwire.bench.processes import ReceiverProcess
from tickwire.bench.receivers import (
    Plan,
    receive_bytes,
    receive_reads,
    receive_to_batch,
    receive_to_ring,
)
from tickwire.bench.reference import ReferenceTrades
from tickwire.bench.schedule import Stretch, TradeLoad
from tickwire.bench.stretches import StretchesJob, receive_stretches

# The ring of a feed holds 262,144 rows: the warm-up goes round once, a stretch fits well inside.
N_WARM = 270_000
MAX_MESSAGES = 240_000
N_DIFFERENT = 10_000
WARM_TIMEOUT_S = 300.0
TIMEOUT_S = 60.0
# For the commits: enough to have made every page of the ring's and of DuckDB's buffers.
N_WARM_COMMITS = 300_000
N_PASS_COMMITS = 1000


TO_COMMIT = StagePipeline("tickwire[protocol] + duckdb", "sent_to_commit", receive_to_commit)
BARE_RECV = StagePipeline("recv, time only", "sent_to_recv", receive_bytes, decodes=False)
TO_RING = StagePipeline("tickwire[protocol]", "sent_to_ring", receive_to_ring)
TO_BATCH = StagePipeline("tickwire[protocol]", "sent_to_batch", receive_to_batch)
READ_CPU = StagePipeline("tickwire[protocol]", "read_to_publish", receive_reads)
STAGES = (BARE_RECV, TO_RING, TO_BATCH)


@dataclass(frozen=True, slots=True)
class Pace:
    """Runs at one rate.

    Parameters
    ----------
    rate
        Messages per second.
    seconds
        Of one run.
    n_runs
        Of each pipeline.
    """

    rate: float
    seconds: float
    n_runs: int

    @property
    def n_messages(self) -> int:
        """Of one run."""
        return round(self.rate * self.seconds)


def measure_stages(
    pipelines: Sequence[StagePipeline],
    paces: Sequence[Pace],
    *,
    tell: Callable[[str], None] = print,
    n_warm: int = N_WARM,
) -> list[StageResult]:
    """Measure pipelines in turn at every pace.

    Parameters
    ----------
    pipelines
        What is measured.
    paces
        At which rates, how long and how often.
    tell
        Gets a line per run.
    n_warm
        Messages that warm each pipeline up.

    Raises
    ------
    TickwireError
        Where a process fails or messages are missing.
    """
    for pace in paces:
        if not 1 <= pace.n_messages <= MAX_MESSAGES:
            raise ValueError(f"{pace.n_messages} messages in a run: 1 to {MAX_MESSAGES}")
    n_messages = [pace.n_messages for pace in paces for _ in range(pace.n_runs)]
    n_different = min(N_DIFFERENT, max(n_messages))
    load = TradeLoad(n_different, -(-max(n_messages) // n_different), SYMBOL)
    results = []
    with ExitStack() as stack:
        lines = [
            stack.enter_context(_Line(pipeline, load, (n_warm, *n_messages)))
            for pipeline in pipelines
        ]
        for line in lines:
            line.warm_up(n_warm)
        for pace in paces:
            found = [StageResult(pipeline, pace.rate) for pipeline in pipelines]
            for number in range(pace.n_runs):
                for line, result in zip(lines, found, strict=True):
                    line.run(pace, result)
                    tell(_told(result, number, pace))
            results += found
    return results


def measure_commits(
    paces: Sequence[Pace],
    *,
    tell: Callable[[str], None] = print,
    n_warm: int = N_WARM_COMMITS,
) -> list[StageResult]:
    """Measure from due to DuckDB's commit, at every pace with a feed and a file of its own.

    Parameters
    ----------
    paces
        At which rates, how long and how often.
    tell
        Gets a line per run.
    n_warm
        Messages that go before.

    Raises
    ------
    TickwireError
        Where a process fails or messages are missing.
    """
    results = []
    for pace in paces:
        result = StageResult(TO_COMMIT, pace.rate)
        for number in range(pace.n_runs):
            n_messages = (n_warm, pace.n_messages)
            with _Line(TO_COMMIT, TradeLoad(N_PASS_COMMITS, coin=SYMBOL), n_messages) as line:
                line.warm_up(n_warm)
                line.run(pace, result)
                tell(_told(result, number, pace))
        results.append(result)
    return results


class _Line:
    """A pipeline with its sender; a context manager."""

    def __init__(
        self, pipeline: StagePipeline, load: TradeLoad, n_messages: tuple[int, ...]
    ) -> None:
        self._pipeline = pipeline
        self._load = load
        self._n_messages = n_messages
        tape = load.record()
        self._answer = ReferenceTrades(tape)
        self._message_bytes = int(tape.ends[0])
        self._n_before = 0
        self._stack = ExitStack()

    def __enter__(self) -> _Line:
        with ExitStack() as stack:
            self._server = stack.enter_context(OpenLoopServer(self._load))
            plan = Plan(self._server.urls[0], self._n_messages, self._message_bytes)
            self._receiver = stack.enter_context(ReceiverProcess(receive_stretches))
            self._receiver.begin(StretchesJob(self._pipeline.receive, plan))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def warm_up(self, n_messages: int) -> None:
        """Fill the ring once."""
        self._exchange(Stretch(n_messages), WARM_TIMEOUT_S)
        self._n_before += n_messages

    def run(self, pace: Pace, result: StageResult) -> None:
        """Send one stretch and count it."""
        arrivals, sent = self._exchange(
            Stretch(pace.n_messages, pace.rate), 2 * pace.seconds + TIMEOUT_S
        )
        result.add(arrivals, sent, self._n_before)
        if self._pipeline.decodes:
            result.faults += self._answer.faults(arrivals.columns or {}, sent)
        if "price_sum" in arrivals.extra:
            n_priced, price_sum = arrivals.extra["n_priced"], arrivals.extra["price_sum"]
            result.faults += self._answer.sum_faults(n_priced, price_sum, pace.n_messages)
        self._n_before += pace.n_messages

    def _exchange(self, stretch: Stretch, timeout_s: float) -> tuple[Arrivals, StretchReport]:
        self._server.begin(stretch)
        # A receiver that fails tells why; the sender could only say that it left.
        arrivals = self._receiver.result(timeout_s)
        return arrivals, self._server.report(timeout_s)


def _told(result: StageResult, number: int, pace: Pace) -> str:
    run = result.runs[-1]
    latency = run["latency_us"]
    return (
        f"{result.rate / 1e3:6g} k/s {number + 1}/{pace.n_runs} "
        f"{result.pipeline.stage:<14} {result.pipeline.name:<20} "
        f"p50 {latency['p50']:9,.1f}  p99 {latency['p99']:9,.1f}  "
        f"p99.9 {latency['p999']:10,.1f} us   sender late p50 "
        f"{run['sender_late_us']['p50']:,.1f}, p99 {run['sender_late_us']['p99']:,.1f} us"
        + "".join(f"  WRONG: {fault}" for fault in result.faults)
    )
