"""HdrHistogram's percentile files, as its plotters read them.

The text form of `HistogramLogProcessor` and `outputPercentileDistribution`: value, percentile,
count up to it, 1/(1 - percentile); then mean, maximum and number of values as comments.
"""

from __future__ import annotations

import math

from tickwire.observe import Histogram

TICKS_PER_HALF = 5
NS_PER_US = 1000.0
SUB_BUCKETS = 256  # of the first bucket; half as many in each doubling after it


def percentile_lines(histogram: Histogram) -> list[tuple[float, float, int]]:
    """Give points of the distribution, closer the nearer to 1 they are.

    Returns
    -------
    list of tuple
        (value in us, percentile from 0 to 1, values up to it); the last one is the maximum, at 1.
    """
    items = histogram.items()
    total = sum(count for _, _, count in items)
    lines: list[tuple[float, float, int]] = []
    level, seen, place = 0.0, 0, 0
    while total:
        # The first bucket with which at least so many values have been seen.
        while seen + items[place][2] < total and 100.0 * (seen + items[place][2]) / total < level:
            seen += items[place][2]
            place += 1
        _, highest, count = items[place]
        value_us = min(highest, histogram.max) / NS_PER_US
        lines.append((value_us, level / 100.0, seen + count))
        if seen + count >= total:
            break
        # As HdrHistogram's PercentileIterator: so many steps for every halving of what is left.
        halvings = int(math.log2(100.0 / (100.0 - level))) + 1
        level += 100.0 / (TICKS_PER_HALF * 2**halvings)
    if total:
        lines.append((histogram.max / NS_PER_US, 1.0, total))
    return lines


def percentile_text(histogram: Histogram) -> str:
    """Give the file's text, values in us.

    Parameters
    ----------
    histogram
        What to write.
    """
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for value_us, percentile, count in percentile_lines(histogram):
        line = f"{value_us:12.3f} {percentile:2.12f} {count:10d}"
        if percentile < 1.0:
            line += f" {1.0 / (1.0 - percentile):14.2f}"
        lines.append(line)
    mean_us = histogram.mean / NS_PER_US
    lines += [
        f"#[Mean    = {mean_us:12.3f}, StdDeviation   = {_deviation_us(histogram):12.3f}]",
        f"#[Max     = {histogram.max / NS_PER_US:12.3f}, Total count    = {histogram.count:12d}]",
        f"#[Buckets = {len(histogram.items()):12d}, SubBuckets     = {SUB_BUCKETS:12d}]",
    ]
    return "\n".join(lines) + "\n"


def _deviation_us(histogram: Histogram) -> float:
    """Give the standard deviation, each value taken as the middle of its bucket."""
    mean_ns = histogram.mean
    items = histogram.items()
    total = sum(count for _, _, count in items)
    if not total:
        return 0.0
    squares = sum(count * ((low + high) / 2 - mean_ns) ** 2 for low, high, count in items)
    return math.sqrt(squares / total) / NS_PER_US
