"""Figures by name and labels: made once, read in one place."""

from __future__ import annotations

import gc
import threading

import pytest

from tickwire.observe import METRICS, Kind, Metric, Metrics, Registry
from tickwire.observe.registry import SLOTS

SEEN = Metric("seen", Kind.COUNTER, "Seen.", ("venue", "table"))
SPENT = Metric("spent_seconds", Kind.COUNTER, "Spent.", ("venue",), scale=1e-9)
DEPTH = Metric("depth", Kind.GAUGE, "Depth.", ("table",))
TOOK = Metric("took_seconds", Kind.HISTOGRAM, "Took.", ("venue",), scale=1e-9)


def registry() -> Registry:
    return Registry([SEEN, SPENT, DEPTH, TOOK])


def test_the_same_labels_give_the_same_figure() -> None:
    made = registry()
    metrics = made.labelled(venue="okx")
    metrics.counter("seen", table="trades").add(2)
    made.labelled(table="trades").counter("seen", venue="okx").add(3)
    metrics.counter("seen", table="book").add(10)
    assert made.total("seen") == 15
    assert made.by("seen", "table") == {"trades": 5, "book": 10}
    assert made.by("seen", "table", "venue") == {"trades": {"okx": 5}, "book": {"okx": 10}}


def test_a_metric_takes_the_labels_that_it_has_and_no_others() -> None:
    metrics = registry().labelled(venue="okx", source="0")
    metrics.counter("spent_seconds").add()
    with pytest.raises(ValueError, match="has the labels"):
        metrics.counter("seen")
    with pytest.raises(ValueError, match="has the labels"):
        metrics.counter("spent_seconds", symbol="BTC")


def test_what_is_not_declared_or_of_another_kind_is_an_error() -> None:
    made = registry()
    with pytest.raises(KeyError, match="not declared"):
        made.labelled().counter("sean")
    with pytest.raises(KeyError, match="not declared"):
        made.total("sean")
    with pytest.raises(ValueError, match="depth is a gauge"):
        made.labelled(table="trades").counter("depth")


def test_a_figure_that_was_never_made_is_0() -> None:
    made = registry()
    assert (made.total("seen"), made.by("seen", "table"), made.most("depth")) == (0, {}, 0)
    assert made.merged("took_seconds").count == 0


def test_what_is_kept_elsewhere_is_read_when_it_is_asked_for() -> None:
    made = registry()
    depths = {"trades": 0.25, "book": 0.5}
    for table in depths:
        made.labelled().watch("depth", lambda table=table: depths[table], table=table)
    made.labelled().watch("depth", lambda: 0.125, table="trades")
    assert made.by("depth", "table") == {"trades": 0.375, "book": 0.5}
    depths["book"] = 0.75
    assert made.most("depth") == 0.75


def test_ns_become_the_seconds_of_the_name() -> None:
    made = registry()
    made.labelled(venue="okx").counter("spent_seconds").add(1_500_000_000)
    assert made.total("spent_seconds") == 1.5


def test_histograms_of_all_labels_are_merged() -> None:
    made = registry()
    for venue in ("okx", "htx"):
        made.labelled(venue=venue).histogram("took_seconds").add(1000, 5)
    assert made.merged("took_seconds").count == 10
    [(metric, figures)] = [each for each in made.collect() if each[0].kind is Kind.HISTOGRAM]
    assert metric is TOOK
    assert [labels for labels, _ in figures] == [("okx",), ("htx",)]


def test_more_figures_than_an_array_has_slots_keep_their_numbers() -> None:
    made = registry()
    n = 2 * SLOTS + 10
    counters = [made.labelled(venue="okx").counter("seen", table=str(i)) for i in range(n)]
    for i, counter in enumerate(counters):
        counter.add(i)
    assert [counter.value for counter in counters] == list(range(n))
    assert made.total("seen") == n * (n - 1) // 2


def test_it_may_be_read_while_figures_are_made() -> None:
    made = registry()
    metrics = made.labelled(venue="okx")
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                made.total("seen")
                made.by("seen", "table")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for i in range(3000):
        metrics.counter("seen", table=str(i)).add()
    done.set()
    thread.join()
    assert failures == []
    assert made.total("seen") == 3000


def test_it_may_be_read_while_garbage_is_collected() -> None:
    made = registry()
    metrics = made.labelled(venue="okx")
    for i in range(5000):  # more than the tuples that Python keeps for use again
        metrics.counter("seen", table=str(i)).add()
        made.watch("depth", (str(i),), lambda: 1.0)
    n_added = 0
    is_adding = False

    def add(phase: str, info: object) -> None:
        """Do what another thread may do while garbage is collected."""
        nonlocal n_added, is_adding
        if is_adding or n_added == 500:
            return
        is_adding = True
        n_added += 1
        metrics.counter("seen", table=f"later {n_added}").add()
        made.watch("depth", (f"later {n_added}",), lambda: 1.0)
        is_adding = False

    threshold = gc.get_threshold()
    gc.callbacks.append(add)
    gc.set_threshold(1)
    try:
        assert made.total("seen") >= 5000
        n_added = 0
        assert made.total("depth") >= 5000
        assert len(list(made.collect())) == 4
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(add)
    assert n_added > 0


def test_the_declared_metrics_have_names_and_labels_that_an_exposition_can_use() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.replace("_", "").isalnum()
        assert metric.name == metric.name.lower()
        assert not metric.name.startswith("tickwire")
        assert not metric.name.endswith("_total")
        assert metric.help.endswith(".")
        assert set(metric.by) <= set(metric.labels)
        assert (metric.scale == 1e-9) == metric.name.endswith("_seconds")
    keys = [metric.summary for metric in METRICS if metric.summary]
    assert len(set(keys)) == len(keys)


def test_metrics_without_an_owner_have_a_registry_of_their_own() -> None:
    one, two = Metrics(), Metrics()
    one.counter("gaps", table="trades", reason="overflow").add()
    assert (one.registry.total("gaps"), two.registry.total("gaps")) == (1, 0)
