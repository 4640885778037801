"""Interleaved runs: each pipeline once, then each again; sender and receiver fresh each time."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tickwire.bench.cases import CASES, Case
from tickwire.bench.worker import EMPTY, Order, Pipeline
from tickwire.sim.load import LoadServer, LoadSpec

WORKER_TIMEOUT_S = 120.0
FIGURES = (
    "messages_per_second",
    "cpu_ns_per_message",
    "user_ns_per_message",
    "system_ns_per_message",
)


@dataclass(slots=True)
class Result:
    """The runs of one pipeline on one case.

    Parameters
    ----------
    case, pipeline
        By name.
    runs
        What each run gave.
    """

    case: str
    pipeline: str
    runs: list[dict[str, Any]] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """Give the median over the runs."""
        return float(statistics.median(run[figure] for run in self.runs))

    def spread(self, figure: str) -> tuple[float, float]:
        """Give the smallest and the largest."""
        values = [run[figure] for run in self.runs]
        return min(values), max(values)

    @property
    def checked(self) -> bool:
        """Whether every run gave the known answer."""
        return all(run["checked"] for run in self.runs)

    @property
    def faults(self) -> list[str]:
        """What was wrong with answers."""
        return [fault for run in self.runs for fault in run["faults"]]

    def to_dict(self) -> dict[str, Any]:
        """Give what the results file has."""
        return {
            "case": self.case,
            "pipeline": self.pipeline,
            "messages": self.runs[0]["messages"],
            **{figure: self.median(figure) for figure in FIGURES},
            "rows": self.runs[0]["rows"],
            "checked": self.checked,
            "spread": {figure: self.spread(figure) for figure in FIGURES},
            "runs": self.runs,
        }


def measure(
    case_name: str,
    pipelines: Iterable[Pipeline],
    n_runs: int,
    *,
    tell: Callable[[str], None] = print,
) -> list[Result]:
    """Measure pipelines in turn, A B C A B C, so that what disturbs one disturbs all.

    Parameters
    ----------
    case_name
        Which.
    pipelines
        In this order.
    n_runs
        Of each.
    tell
        Gets a line per run.
    """
    case = CASES[case_name]
    results = {pipeline: Result(case_name, pipeline.name) for pipeline in pipelines}
    for number in range(n_runs):
        for pipeline, result in results.items():
            run = run_once(case, pipeline)
            result.runs.append(run)
            tell(
                f"{case_name:<10} {number + 1}/{n_runs} {result.pipeline:<28} "
                f"{run['messages_per_second'] / 1e3:9,.0f} k/s "
                f"{run['cpu_ns_per_message']:9,.0f} ns"
                + "".join(f"  WRONG: {fault}" for fault in run["faults"])
            )
    return list(results.values())


def run_once(case: Case, pipeline: Pipeline) -> dict[str, Any]:
    """Run a pipeline once against a load generator of its own.

    Raises
    ------
    RuntimeError
        Where the worker fails.
    """
    amount = pipeline.amount(case)
    spec = replace(case.spec(amount.n_messages), hang_up=pipeline.name == EMPTY)
    n_bytes = n_bytes_of(spec)
    with contextlib.ExitStack() as stack:
        ca_file = None
        if case.tls:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            ca_file = str(Path(folder) / "ca.pem")
            spec = replace(spec, tls_folder=folder)
        server = stack.enter_context(LoadServer(spec))
        order = Order(
            pipeline.name, case.name, amount.n_warm, amount.n_main, n_bytes, server.url, ca_file
        )
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", pipeline.module, json.dumps(asdict(order))],
            capture_output=True,
            text=True,
            timeout=WORKER_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{pipeline.name} on {case.name} failed:\n{done.stderr}")
        run: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        sent = server.report()
    # The share of its time that the sender waited for the receiver: near 1 where the receiver is
    # what limits the pair.
    run["sender_waited"] = sent.blocked_seconds / sent.seconds
    return run


_pass_bytes: dict[LoadSpec, int] = {}


def n_bytes_of(spec: LoadSpec) -> int:
    """Give the bytes of a whole load; ids have the same number of digits in every pass."""
    once = replace(spec, n_messages=spec.tape_messages, hang_up=False)
    if once not in _pass_bytes:
        _pass_bytes[once] = len(once.record().data)
    return _pass_bytes[once] * (spec.n_messages // spec.tape_messages)
