"""Messages that could not be decoded are failures, too."""

from structlog.testing import capture_logs

from tickwire.config import SeveritySettings
from tickwire.feed.streams.undecoded import LOG_EVERY_S, Undecoded
from tickwire.observe import Registry
from tickwire.supervise import Failures, SeverityTable, rule_of


def test_they_are_reported_by_their_number_and_logged_once_a_minute() -> None:
    registry = Registry()
    now_s = 0.0
    rules = [rule_of(SeveritySettings(error="tickwire.errors:DecodeError", severity="high"))]
    failures = Failures(SeverityTable(rules), registry.labelled())
    undecoded = Undecoded(registry, failures, clock=lambda: now_s)
    counter = registry.labelled(source="0", venue="small").counter("decode_errors", reason="json")
    with capture_logs() as logs:
        undecoded.look()
        counter.add(3)
        undecoded.look()
        undecoded.look()
        counter.add(2)
        undecoded.look()
        now_s = LOG_EVERY_S
        counter.add(1)
        undecoded.look()
    assert registry.by("errors", "severity")["high"] == 6
    assert [line["messages"] for line in logs] == [3, 6]
    assert [each.text for each in failures.troubles()] == ["messages of small: json"]
