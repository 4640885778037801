"""Throughput as bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")  # writes files, needs no display

from matplotlib import pyplot as plt

from tickwire.bench.runs import Result

BAR_INCH = 0.24
TICKWIRE, OTHERS, BASELINES = "#1f77b4", "#aaaaaa", "#dddddd"
# Same results, same file.
mpl.rcParams["svg.hashsalt"] = "tickwire"


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw messages per second and CPU per message, a group of bars per case.

    Medians; the line on a bar goes from the smallest to the largest run.
    """
    cases = list(dict.fromkeys(result.case for result in results))
    counts = [sum(result.case == case for result in results) for case in cases]
    figure, grid = plt.subplots(
        len(cases),
        2,
        figsize=(11, BAR_INCH * sum(counts) + 0.7 * len(cases) + 0.5),
        height_ratios=[count + 1 for count in counts],
        layout="constrained",
        squeeze=False,
    )
    for row, case in zip(grid, cases, strict=True):
        own = [result for result in results if result.case == case]
        for axes, name, per in (
            (row[0], "messages_per_second", 1e6),
            (row[1], "cpu_ns_per_message", 1e3),
        ):
            _bars(axes, own, name, per)
        row[0].set_title(case, loc="left", fontsize="small", fontweight="bold")
        row[1].set_yticklabels([])
    grid[-1][0].set_xlabel("million messages/s")
    grid[-1][1].set_xlabel("CPU us per message")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(axes: plt.Axes, results: Sequence[Result], figure: str, per: float) -> None:
    names = [result.pipeline for result in results]
    medians = [result.median(figure) / per for result in results]
    spreads = [[bound / per for bound in result.spread(figure)] for result in results]
    below = [median - lowest for median, (lowest, _) in zip(medians, spreads, strict=True)]
    above = [highest - median for median, (_, highest) in zip(medians, spreads, strict=True)]
    axes.barh(
        names,
        medians,
        xerr=[below, above],
        color=[_color(name) for name in names],
        error_kw={"elinewidth": 0.8, "capsize": 1.5},
    )
    axes.bar_label(axes.containers[-1], [f" {median:.2f}" for median in medians], fontsize=7)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)


def _color(pipeline: str) -> str:
    if pipeline.startswith("tickwire"):
        return TICKWIRE
    return OTHERS if "pyarrow" in pipeline else BASELINES
