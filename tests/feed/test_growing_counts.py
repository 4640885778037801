"""Counts that should not grow: which of them are logged, and how often."""

from __future__ import annotations

from structlog.testing import capture_logs

from tickwire.feed.streams.growing_counts import LOG_EVERY_S, GrowingCounts


def test_a_count_that_has_grown_is_a_line_a_minute_at_most() -> None:
    now_s = [100.0]
    counts = GrowingCounts("binance", lambda: now_s[0])
    with capture_logs() as logs:
        for event, count in (("a", 0), ("a", 1), ("a", 2), ("b", {}), ("b", {"late": 1})):
            counts.look(event, count)
        now_s[0] += LOG_EVERY_S - 0.1
        counts.look("a", 3)
        now_s[0] += 0.1
        counts.look("a", 4)
        now_s[0] += LOG_EVERY_S
        counts.look("a", 4)  # as before
        counts.look("b", {"late": 1, "lost": 2})
    assert [(line["event"], line["count"]) for line in logs] == [
        ("a", 1),
        ("b", {"late": 1}),
        ("a", 4),
        ("b", {"late": 1, "lost": 2}),
    ]
    assert {(line["venue"], line["log_level"]) for line in logs} == {("binance", "warning")}
