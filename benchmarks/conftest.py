"""Benchmarks of modules: each is marked, says how much a round is, and ends in the results.

pytest-benchmark measures; what its rounds mean per message is computed here, put into each
benchmark's `extra_info`, printed as a table and written to `results/<commit>.modules.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.rounds import figures

from tickwire.bench import machine

RESULTS = Path(__file__).parent / "results"
KINDS = ("gate", "informational")
# A collection in some rounds and not in others would be most of their spread.
SETTINGS = pytest.mark.benchmark(disable_gc=True, max_time=0.3, min_rounds=50, warmup=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where results go."""
    parser.addoption("--results", type=Path, default=RESULTS, help="folder for module results")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a benchmark that is not marked as a gate or as informational."""
    for item in items:
        kinds = [kind for kind in KINDS if item.get_closest_marker(kind)]
        if "benchmark" in getattr(item, "fixturenames", ()):
            if len(kinds) != 1:
                raise pytest.UsageError(f"{item.nodeid}: mark it gate or informational")
            item.add_marker(SETTINGS)


@pytest.fixture(autouse=True)
def per_message(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put what a message costs beside what pytest-benchmark finds."""
    yield
    benchmark = request.node.funcargs.get("benchmark")
    if benchmark is None or benchmark.stats is None or not benchmark.stats.stats.data:
        return
    about = benchmark.extra_info
    if "n_messages" not in about:
        pytest.fail("extra_info lacks n_messages: how much is a round?")
    path = request.node.path
    name = request.node.name.removeprefix("test_")
    about["name"] = f"{path.parent.name}/{path.stem.removeprefix('bench_')}: {name}"
    about["kind"] = next(kind for kind in KINDS if request.node.get_closest_marker(kind))
    about.update(figures(benchmark.stats.stats.data, about["n_messages"], about.get("n_bytes", 0)))


@pytest.hookimpl(tryfirst=True)
def pytest_benchmark_group_stats() -> list[Any]:
    """Leave pytest-benchmark's own table out: its times are of rounds, which say little."""
    return []


def measured(config: pytest.Config) -> list[dict[str, Any]]:
    """Give what was measured, in order."""
    found = []
    for each in config._benchmarksession.benchmarks:  # type: ignore[attr-defined] # no other way
        about = dict(each.extra_info)
        if "ns_per_message" in about:
            found.append(about)
    return found


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table and write the results."""
    found = measured(config)
    if not found:
        return
    width = max(len(each["name"]) for each in found)
    terminalreporter.section("modules: ns per message, percentiles over rounds")
    terminalreporter.write_line(
        f"{'':<{width}}{'p50':>14}{'p99':>14}{'p99.9':>14}{'MB/s':>9}{'rounds':>8}"
    )
    for each in found:
        times = "".join(
            f"{each['ns_per_message'][name]:>14,.1f}" for name in ("p50", "p99", "p999")
        )
        speed = f"{each['mb_per_s']:>9,.0f}" if "mb_per_s" in each else f"{'':>9}"
        gate = f"  gate: {each['verdict']}" if each["kind"] == "gate" else ""
        terminalreporter.write_line(
            f"{each['name']:<{width}}{times}{speed}{each['rounds']:>8}{gate}"
        )
    folder = config.getoption("results")
    folder.mkdir(exist_ok=True)
    path = folder / f"{machine.commit()}.modules.json"
    known = json.loads(path.read_text())["modules"] if path.exists() else {}
    document = {
        "machine": machine.machine(),
        "commit": machine.commit(),
        "build": machine.build(),
        "modules": known | {each.pop("name"): each for each in found},
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    terminalreporter.write_line(f"wrote {path}")
