"""Observers of a session are all called, whatever one of them raises."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tickwire.session.observers import SessionObserver, tell


class Broken(SessionObserver):
    """One that fails."""


def test_the_first_failure_is_raised_and_the_others_are_logged() -> None:
    called: list[SessionObserver] = []
    observers = (Broken(), SessionObserver(), Broken(), SessionObserver())

    def call(observer: SessionObserver) -> None:
        called.append(observer)
        if isinstance(observer, Broken):
            raise ValueError(f"of {len(called)}")

    with capture_logs() as lines, pytest.raises(ValueError, match="of 1"):
        tell(observers, call)
    assert called == [*observers]
    [line] = lines
    assert (line["event"], line["observer"]) == ("another observer failed", "Broken")
    assert line["error"] == "ValueError: of 3"
