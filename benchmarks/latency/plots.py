"""Latency percentile curves, one picture per load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")  # writes files, needs no display

from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter

from tickwire.bench.hgrm import percentile_lines
from tickwire.bench.outcomes import StageResult

ODDS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
# Same results, same file.
mpl.rcParams["svg.hashsalt"] = "tickwire"


def draw(results: Sequence[StageResult], path: Path) -> None:
    """Draw the curves of results of one load.

    The abscissa is 1/(1 - percentile) on a logarithmic scale, so that every further nine has the
    same width.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    most = 10.0
    for result in results:
        points = percentile_lines(result.histogram)[:-1]
        odds = [1 / (1 - percentile) for _, percentile, _ in points]
        most = max(most, *odds)
        axes.plot(
            odds,
            [value_us for value_us, _, _ in points],
            label=f"{result.pipeline.stage}: {result.pipeline.name}",
            linewidth=1.2,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, most)
    axes.xaxis.set_major_locator(FixedLocator([odd for odd in ODDS if odd <= most]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.yaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda odd, _: _percent(odd)))
    axes.set_xlabel("percentile")
    axes.set_ylabel("latency from due time, us")
    axes.set_title(f"{results[0].what}: {results[0].rate:,.0f} messages/s, open loop")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _percent(odds: float) -> str:
    """Give the percentile of odds that are a power of ten: 1,000 is 99.9 %."""
    n_nines = len(str(int(odds))) - 1
    if n_nines < 2:
        return ("0 %", "90 %")[n_nines]
    return f"99{'.' * (n_nines > 2)}{'9' * (n_nines - 2)} %"
