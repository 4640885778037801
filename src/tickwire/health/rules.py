"""Rules over metrics, as they are written in `[[alert]]`.

    [rate(|p50(|p99(|p999(|max(] NAME [{label="value", ...}] [)] OP NUMBER [for DURATION]

Rules of this file
------------------
- A rule holds while any of its series does, each on its own. `rate` is per second, between two
  looks; a percentile is over all labels, of what came since the look before.
- Names are those of the metrics, with or without `tickwire_` and `_total`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from tickwire.observe import METRICS, Kind, Metric

_RULE = re.compile(
    r"\s*(?:(?P<function>\w+)\s*\(\s*)?"
    r"(?P<name>[A-Za-z_]\w*)\s*(?:\{(?P<labels>[^}]*)\})?\s*(?P<end>\))?"
    r"\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<limit>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
    r"(?:\s+for\s+(?P<hold>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h))?\s*"
)
_LABEL = re.compile(r'\s*(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*')
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge,
    "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
_BY_NAME = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alert is due.

    Parameters
    ----------
    metric
        What it looks at.
    function
        `rate`, one of `PERCENTILES`, or empty for the value.
    labels
        Those that a series must have.
    op, limit
        How it is compared, and with what.
    hold_s
        For how long it must have held.
    """

    metric: Metric
    function: str
    labels: tuple[tuple[str, str], ...]
    op: str
    limit: float
    hold_s: float

    def holds(self, value: float) -> bool:
        """Whether a value is what the rule looks for."""
        return _COMPARE[self.op](value, self.limit)

    def takes(self, labels: tuple[str, ...]) -> bool:
        """Whether a series has the labels."""
        names = self.metric.labels
        return all(labels[names.index(name)] == value for name, value in self.labels)


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises
    ------
    ValueError
        It is none; the text says what is wrong.
    """
    match = _RULE.fullmatch(text)
    if match is None or bool(match["function"]) != bool(match["end"]):
        raise ValueError("should be such as 'ring_depth > 0.8 for 5s' or 'rate(messages) < 1'")
    metric = _metric(match["name"])
    function = match["function"] or ""
    is_histogram = metric.kind is Kind.HISTOGRAM
    if is_histogram and function not in PERCENTILES:
        raise ValueError(f"{metric.name} is a histogram: write {', '.join(PERCENTILES)} around it")
    if not is_histogram and function not in ("", "rate"):
        raise ValueError(
            f"{function}({metric.name}): should be rate({metric.name}), or no function"
        )
    labels = _labels(match["labels"] or "", metric)
    if is_histogram and labels:
        raise ValueError(f"{function}({metric.name}) is over all labels: leave them out")
    hold_s = float(match["hold"] or 0) * _UNITS_S[match["unit"] or "s"]
    return Rule(metric, function, labels, match["op"], float(match["limit"]), hold_s)


def _metric(name: str) -> Metric:
    bare = name.removeprefix("tickwire_")
    metric = _BY_NAME.get(bare) or _BY_NAME.get(bare.removesuffix("_total"))
    if metric is None:
        near = get_close_matches(bare, _BY_NAME, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        raise ValueError(f"no metric {name}{hint}")
    return metric


def _labels(text: str, metric: Metric) -> tuple[tuple[str, str], ...]:
    found = []
    at = 0
    while text[at:].strip():
        match = _LABEL.match(text, at)
        if match is None:
            raise ValueError(f'{{{text}}}: labels should be such as {{table="book"}}')
        if match[1] not in metric.labels:
            allowed = ", ".join(metric.labels) or "none"
            raise ValueError(f"{metric.name} has no label {match[1]}; it has {allowed}")
        found.append((match[1], re.sub(r"\\(.)", r"\1", match[2])))
        at = match.end()
        if text[at : at + 1] == ",":
            at += 1
        elif text[at:]:
            raise ValueError(f"{{{text}}}: labels should be parted by commas")
    return tuple(found)
