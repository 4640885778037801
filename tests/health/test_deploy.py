"""What `deploy/` has for Prometheus and Grafana asks for metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tickwire.observe import METRICS, Kind

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
PROMTOOL = shutil.which("promtool")
SUFFIXES = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket",)}
NAMES = {f"tickwire_{each.name}{end}": each for each in METRICS for end in SUFFIXES[each.kind]}


def expressions() -> list[str]:
    found = re.findall(r"expr: (.*)", RULES.read_text())
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return found + [target["expr"] for panel in panels for target in panel["targets"]]


def test_every_metric_is_one_and_has_the_labels_asked_for() -> None:
    assert len(expressions()) > 30
    for expression in expressions():
        names = re.findall(r"tickwire_\w+", expression)
        assert set(names) <= NAMES.keys(), expression
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            wanted = {label.strip() for label in labels.split(",")} - {"le", "instance"}
            for name in names:
                assert wanted <= set(NAMES[name].labels), expression


def test_the_dashboard_has_a_place_for_every_panel() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) lacks")
def test_promtool_takes_the_rules() -> None:
    done = subprocess.run(  # noqa: S603 - Prometheus's own program
        [str(PROMTOOL), "check", "rules", str(RULES)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
