"""The registry as text, for Prometheus: format 0.0.4, and OpenMetrics 1.0.

https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md

Rules of this file
------------------
- Text is made in slices: `pieces` gives some at a time, so that the event loop runs in between.
- What stands before a value (name and labels) is made once and kept. That is what makes a scrape
  cheap: prometheus-client makes it anew each time, which costs 8 to 13 us a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from tickwire.observe import Histogram, Kind, Metric, Registry

PREFIX = "tickwire_"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PIECE_LINES = 100
_UNITS = ("seconds", "bytes", "ratio")
_STEPS = (1, 2.5, 5)
# Upper bounds in ns: 1 us to 10 s.
BOUNDS_NS = (*(int(step * 10**power) for power in range(3, 10) for step in _STEPS), 10**10)
_ENDLESS = -1  # below every value, so that nothing is taken before its turn
_LIMITS_NS = (*BOUNDS_NS, _ENDLESS)


class Exposition:
    """Writes a registry.

    Parameters
    ----------
    registry
        Whose figures.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._heads: dict[tuple[str, bool], str] = {}
        self._series: dict[tuple[str, tuple[str, ...]], str] = {}
        self._buckets: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def text(self, *, is_open: bool = False) -> str:
        """Give everything at once."""
        return "".join(self.pieces(is_open=is_open))

    def pieces(self, *, is_open: bool = False) -> Iterator[str]:
        """Give the text a piece at a time.

        Parameters
        ----------
        is_open
            OpenMetrics; otherwise the text format.
        """
        lines: list[str] = []
        for metric, figures in self._registry.collect():
            if not figures:
                continue
            lines.append(self._head(metric, is_open))
            for labels, figure in figures:
                if isinstance(figure, Histogram):
                    lines += self._histogram(metric, labels, figure)
                else:
                    value = figure if isfinite(figure) else 0
                    lines.append(f"{self._name(metric, labels)} {_number(value)}\n")
                if len(lines) >= PIECE_LINES:
                    yield "".join(lines)
                    lines.clear()
        yield "".join(lines) + ("# EOF\n" if is_open else "")

    def _head(self, metric: Metric, is_open: bool) -> str:
        """Give HELP, TYPE and, in OpenMetrics, UNIT."""
        head = self._heads.get((metric.name, is_open))
        if head is None:
            family = PREFIX + metric.name
            unit = next((each for each in _UNITS if metric.name.endswith("_" + each)), "")
            name = family
            if metric.kind is Kind.COUNTER and not is_open:
                name += "_total"
            text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
            head = f"# HELP {name} {text}\n# TYPE {name} {metric.kind.value}\n"
            if is_open and unit:
                head += f"# UNIT {name} {unit}\n"
            self._heads[metric.name, is_open] = head
        return head

    def _name(self, metric: Metric, labels: tuple[str, ...]) -> str:
        """Give the series' name: with a counter's suffix, and its labels."""
        name = self._series.get((metric.name, labels))
        if name is None:
            suffix = "_total" if metric.kind is Kind.COUNTER else ""
            name = f"{PREFIX}{metric.name}{suffix}{_labels(metric.labels, labels)}"
            self._series[metric.name, labels] = name
        return name

    def _histogram(
        self, metric: Metric, labels: tuple[str, ...], histogram: Histogram
    ) -> Iterator[str]:
        names = self._buckets.get((metric.name, labels))
        if names is None:
            names = _bucket_names(metric, labels)
            self._buckets[metric.name, labels] = names
        items = histogram.items()
        n_items, largest = len(items), histogram.max
        at = n_below = total = 0
        for bound, name in zip(_LIMITS_NS, names, strict=False):
            while at < n_items and items[at][1] <= bound:
                low, high, count = items[at]
                n_below += count
                total += count * (low + high)
                at += 1
            if bound == _ENDLESS:  # the last bucket is open above
                for low, high, count in items[at:]:
                    n_below += count
                    total += count * (low + min(high, largest))
            yield f"{name} {n_below}\n"
        yield f"{names[-2]} {_number(total / 2 * metric.scale)}\n"
        yield f"{names[-1]} {n_below}\n"


def _bucket_names(metric: Metric, labels: tuple[str, ...]) -> list[str]:
    """Give the names of a histogram's series: its buckets, its sum, its count."""
    name = PREFIX + metric.name
    texts = [*(repr(bound / 1e9) for bound in BOUNDS_NS), "+Inf"]
    return [
        *(f"{name}_bucket{_labels((*metric.labels, 'le'), (*labels, text))}" for text in texts),
        f"{name}_sum{_labels(metric.labels, labels)}",
        f"{name}_count{_labels(metric.labels, labels)}",
    ]


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    return "{" + ",".join([f'{name}="{_escaped(value)}"' for name, value in pairs]) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return repr(float(value)) if isinstance(value, float) else str(int(value))
