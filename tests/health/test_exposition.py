"""The exposition is read by prometheus-client's parsers and by promtool, and says what is so."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tickwire.health import Exposition
from tickwire.health.exposition import PIECE_LINES
from tickwire.observe import METRICS, Kind, Metrics, Registry

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) lacks")


def filled(n_values: int = 2) -> Registry:
    """Give a registry in which every metric has figures."""
    registry = Registry()
    metrics = Metrics(registry)
    for metric in METRICS:
        for n in range(n_values):
            labels = {label: f"{label}-{n}" for label in metric.labels}
            if metric.kind is Kind.COUNTER:
                metrics.counter(metric.name, **labels).add(3 + n)
            elif metric.kind is Kind.GAUGE:
                metrics.gauge(metric.name, **labels).set(5 + n)
            else:
                for value_ns in (900, 40_000, 41_000, 7_000_000, 90_000_000_000):
                    metrics.histogram(metric.name, **labels).add(value_ns)
    return registry


def samples(text: str, parse) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(("is_open", "parse"), [(False, parse_text), (True, parse_open)])
def test_every_figure_is_there_once_and_right(is_open: bool, parse) -> None:
    registry = filled()
    found = samples(Exposition(registry).text(is_open=is_open), parse)
    for metric, figures in registry.collect():
        for values, figure in figures:
            labels = tuple(sorted(zip(metric.labels, values, strict=True)))
            name = f"tickwire_{metric.name}"
            if metric.kind is Kind.HISTOGRAM:
                assert found[name + "_count", labels] == figure.count
                mean_s = found[name + "_sum", labels] / figure.count
                assert mean_s == pytest.approx(figure.mean * 1e-9, rel=0.02)
                continue
            suffix = "_total" if metric.kind is Kind.COUNTER else ""
            assert found[name + suffix, labels] == pytest.approx(figure)
    families = {family.name for family in parse(Exposition(registry).text(is_open=is_open))}
    assert len(families) == len(METRICS)


def test_buckets_are_cumulative_and_hold_what_is_below() -> None:
    registry = Registry()
    histogram = Metrics(registry).histogram("read_to_ring_seconds")
    for value_ns in (500, 30_000, 30_000, 2_000_000, 60_000_000_000):
        histogram.add(value_ns)
    found = samples(Exposition(registry).text(), parse_text)
    buckets = {
        float(dict(labels)["le"]): n for (name, labels), n in found.items() if "_bucket" in name
    }
    assert buckets[1e-06] == 1
    assert (buckets[2.5e-05], buckets[5e-05]) == (1, 3)
    assert (buckets[0.001], buckets[0.0025]) == (3, 4)
    assert (buckets[10.0], buckets[float("inf")]) == (4, 5)
    assert list(buckets.values()) == sorted(buckets.values())


@pytest.mark.parametrize(("is_open", "parse"), [(False, parse_text), (True, parse_open)])
def test_labels_may_hold_anything(is_open: bool, parse) -> None:
    registry = Registry()
    odd = 'a"b\\c\nd,{e}é'
    Metrics(registry).counter("rows", table=odd).add(7)
    found = samples(Exposition(registry).text(is_open=is_open), parse)
    assert found == {("tickwire_rows_total", (("table", odd),)): 7}


def test_figures_that_come_later_are_there_too_and_none_is_stale() -> None:
    registry = Registry()
    exposition = Exposition(registry)
    counter = Metrics(registry).counter("rows", table="trades")
    for n in range(3):
        counter.add()
        Metrics(registry).counter("rows", table=f"t{n}").add()
        found = samples(exposition.text(), parse_text)
        assert found["tickwire_rows_total", (("table", "trades"),)] == n + 1
        assert len(found) == n + 2


def test_an_empty_registry_is_valid() -> None:
    assert Exposition(Registry()).text() == ""
    assert Exposition(Registry()).text(is_open=True) == "# EOF\n"


def test_a_piece_is_bounded() -> None:
    pieces = list(Exposition(filled(60)).pieces())
    assert len(pieces) > 20
    assert max(piece.count("\n") for piece in pieces) < PIECE_LINES + 30


@needs_promtool
def test_promtool_finds_nothing() -> None:
    done = subprocess.run(  # noqa: S603 - Prometheus's own program
        [str(PROMTOOL), "check", "metrics"],
        input=Exposition(filled()).text(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.serial
def test_a_thousand_series_take_less_than_a_hundredth_of_a_second_in_short_pieces() -> None:
    registry = Registry()
    counters = [Metrics(registry).counter("rows", table=f"table-{n}") for n in range(1000)]
    exposition = Exposition(registry)
    exposition.text()
    runs = []
    for counter in counters[:15]:
        counter.add()
        times_s = [time.process_time()]
        times_s += [time.process_time() for _ in exposition.pieces()]
        runs.append([after - before for before, after in itertools.pairwise(times_s)])
    # What another process adds is in some runs; what it takes is in all.
    assert min(map(sum, runs)) < 0.01
    assert max(map(min, zip(*runs, strict=True))) < 0.001
