"""What happens to a failure that is reported: counted, acted upon, logged."""

import threading

import pytest
from structlog.testing import capture_logs

from tickwire.config import Context, SeveritySettings
from tickwire.errors import SinkError, TickwireError
from tickwire.observe import Metrics
from tickwire.supervise import Failures, SeverityTable, Trouble, rule_of
from tickwire.supervise.failures import SHOWN_S


class Scene:
    """Failures whose table gives a class of errors of each severity; and what was done."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.done: list[object] = []
        rules = [
            rule_of(SeveritySettings(error=kind, severity=severity))
            for kind, severity in (
                (KeyError, "low"),
                (ValueError, "medium"),
                (TypeError, "high"),
                (ZeroDivisionError, "critical"),
            )
        ]
        self.metrics = Metrics()
        self.failures = Failures(SeverityTable(rules), self.metrics, clock=lambda: self.now_s)
        self.failures.on_stop = lambda error: self.done.append(("stop", error))
        self.failures.on_emergency = lambda reason: self.done.append(("emergency", reason))
        self.failures.on_trouble = lambda trouble: self.done.append(("trouble", trouble.text))


@pytest.mark.parametrize(
    ("error", "severity", "level", "done"),
    [
        (KeyError("a"), "low", "info", []),
        (ValueError("b"), "medium", "warning", []),
        (TypeError("c"), "high", "error", [("trouble", "c")]),
        (ZeroDivisionError("d"), "critical", "error", [("emergency", "rest binance: d")]),
    ],
)
def test_each_severity_is_counted_acted_upon_and_logged(
    error: Exception, severity: str, level: str, done: list[object]
) -> None:
    scene = Scene()
    with capture_logs() as logs:
        scene.failures.report(error, Context.REST, "no answer", part="binance", url="u")
    assert scene.done == done
    assert scene.metrics.registry.by("errors", "context", "severity")["rest"][severity] == 1
    assert scene.metrics.registry.total("errors") == 1
    [line] = logs
    assert (line["event"], line["log_level"], line["severity"]) == ("no answer", level, severity)
    assert (line["error"], line["url"]) == (str(error), "u")


def test_what_ends_the_feed_is_handed_on() -> None:
    scene = Scene()
    error = TickwireError("refused")
    scene.failures.report(error, Context.FEED)
    assert scene.done == [("stop", error)]


def test_it_is_done_before_it_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()

    def fail(*_: object, **__: object) -> None:
        scene.done.append("logged")

    monkeypatch.setattr("tickwire.logs.Logger.error", fail)
    scene.failures.report(ZeroDivisionError("x"), Context.RING)
    assert scene.done == [("emergency", "x"), "logged"]


def test_many_are_one_line_or_none_but_all_are_counted() -> None:
    scene = Scene()
    with capture_logs() as logs:
        scene.failures.report(KeyError("a"), Context.DECODE, count=5)
        scene.failures.report(KeyError("a"), Context.DECODE, count=7, quiet=True)
        scene.failures.report(ZeroDivisionError("a"), Context.DECODE, quiet=True)
    assert [line["severity"] for line in logs] == ["low", "critical"]
    assert scene.metrics.registry.by("errors", "severity") == {"low": 12, "critical": 1}


def test_health_shows_the_last_trouble_of_each_part_for_a_minute() -> None:
    scene = Scene()
    for part, text in (("a", "1"), ("a", "2"), ("b", "3")):
        scene.failures.report(TypeError(text), Context.SINK, part=part)
    scene.failures.report(ValueError("medium"), Context.SINK, part="c")

    def shown() -> list[tuple[str, str]]:
        return [(each.part, each.text) for each in scene.failures.troubles()]

    assert shown() == [("a", "2"), ("b", "3")]
    scene.now_s += SHOWN_S
    assert shown() == []


def test_threads_report_at_the_same_time() -> None:
    scene = Scene()

    def report() -> None:
        for _ in range(500):
            scene.failures.report(TypeError("x"), Context.SINK, quiet=True)

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scene.metrics.registry.total("errors") == 2000
    assert len(scene.done) == 2000


def test_without_anything_given_it_counts_and_logs() -> None:
    failures = Failures()
    with capture_logs() as logs:
        failures.report(SinkError("x"), Context.SINK)
    assert [line["event"] for line in logs] == ["failed"]
    assert failures.troubles() == [Trouble(failures.troubles()[0].at_s, Context.SINK, "", "x")]
