"""How long tickwire takes on this machine, beside a bare `recv`: `tickwire bench latency`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tickwire.bench.hgrm import percentile_text
from tickwire.bench.outcomes import StagePipeline, StageResult
from tickwire.bench.stages import (
    STAGES,
    Pace,
    measure_commits,
    measure_stages,
)

DEFAULT_RATES = (10_000.0, 100_000.0)
DEFAULT_RUNS = 3
RUN_S = 1.0
COMMIT_S = 10.0


def measure_latency(
    rates: Sequence[float] = DEFAULT_RATES,
    n_runs: int = DEFAULT_RUNS,
    *,
    run_s: float = RUN_S,
    commit_s: float = COMMIT_S,
    pipelines: Sequence[StagePipeline] = STAGES,
    tell: Callable[[str], None] = print,
) -> list[StageResult]:
    """Measure every stage at every rate.

    Parameters
    ----------
    rates
        Messages per second.
    n_runs
        Of each pipeline at each rate, in turn.
    run_s
        Of one run, in seconds.
    commit_s
        Of the run that ends in DuckDB, one per rate; 0: none.
    pipelines
        Those that are measured in turn.
    tell
        Gets a line per run.

    Raises
    ------
    TickwireError
        Where a process fails or messages are missing.
    """
    results = measure_stages(pipelines, [Pace(rate, run_s, n_runs) for rate in rates], tell=tell)
    if commit_s:
        results += measure_commits([Pace(rate, commit_s, 1) for rate in rates], tell=tell)
    return results


def write_histograms(results: Iterable[StageResult], folder: Path) -> list[Path]:
    """Write the distribution of each result as HdrHistogram's percentile text; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for result in results:
        path = folder / f"{result.label}.hgrm"
        path.write_text(percentile_text(result.histogram))
        paths.append(path)
    return paths
