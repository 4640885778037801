"""The percentile files say what the histogram has, in HdrHistogram's form."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.bench.hgrm import percentile_lines, percentile_text
from tickwire.observe import Histogram

POINT = re.compile(r" *(\d+\.\d{3}) (\d\.\d{12}) +(\d+)(?: +(\d+\.\d{2}))?")
values = st.lists(st.integers(0, 10**10), min_size=1, max_size=400)


def read(text):
    """Read a file as HdrHistogram's plotters do."""
    points, notes = [], {}
    heading, empty, *lines = text.splitlines()
    assert heading.split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert empty == ""
    for line in lines:
        if line.startswith("#["):
            notes |= {
                name.strip(): float(value)
                for name, value in (part.split("=") for part in line[2:-1].split(","))
            }
        else:
            found = POINT.fullmatch(line)
            assert found, line
            points.append(tuple(None if part is None else float(part) for part in found.groups()))
    return points, notes


def histogram_of(latencies):
    histogram = Histogram()
    histogram.add_values(np.array(latencies, np.int64))
    return histogram


@given(values)
def test_every_point_is_the_histograms_own(latencies):
    histogram = histogram_of(latencies)
    points, notes = read(percentile_text(histogram))
    ordered = np.sort(latencies)
    for value_us, percentile, count, odds in points:
        assert value_us == pytest.approx(histogram.percentile(percentile * 100) / 1000, abs=0.0006)
        # As many values as the bucket's end says.
        assert count >= np.searchsorted(ordered, value_us * 1000 - 1, side="right")
        if percentile < 1:
            assert odds == pytest.approx(1 / (1 - percentile), abs=0.006)
    assert points[-1] == (
        pytest.approx(max(latencies) / 1000, abs=0.0006),
        1.0,
        len(latencies),
        None,
    )
    counts = [count for _, _, count, _ in points]
    assert counts == sorted(counts)
    assert notes["Total count"] == len(latencies)
    assert notes["Max"] == pytest.approx(max(latencies) / 1000, abs=0.001)
    assert notes["Mean"] == pytest.approx(float(np.mean(latencies)) / 1000, abs=0.001)
    spread = float(np.std(latencies)) / 1000
    # It is written with three decimals.
    rounded = max(latencies) / 1e5 + 0.0006
    assert notes["StdDeviation"] == pytest.approx(spread, rel=0.02, abs=rounded)


def test_points_get_closer_towards_the_end_as_hdrhistograms():
    histogram = histogram_of([*range(1, 100_001), 1_000_000])
    levels = [percentile for _, percentile, _ in percentile_lines(histogram)]
    # Five steps to the half of what is left: HdrHistogram's percentileTicksPerHalfDistance.
    assert levels[:12] == pytest.approx(
        [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.775]
    )
    assert levels[-1] == 1.0
    assert levels[-2] > 0.9999  # only one value is above it


def test_nothing_measured_is_an_empty_distribution():
    points, notes = read(percentile_text(Histogram()))
    assert points == []
    assert notes["Total count"] == 0
