"""A process is killed at the point that a test wants, and at no other."""

from __future__ import annotations

import os
import signal

import pytest

from tickwire import failpoints


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *of: found.append(of))
    monkeypatch.setattr(failpoints, "_n_reached", 0)
    return found


@pytest.mark.parametrize(("text", "number"), [("commit", 1), ("commit:1", 1), ("commit:3", 3)])
def test_the_process_is_killed_when_it_comes_there_for_the_nth_time(
    monkeypatch: pytest.MonkeyPatch, kills: list[tuple[int, int]], text: str, number: int
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, text)
    wanted = failpoints._wanted()
    assert wanted == ("commit", number)
    monkeypatch.setattr(failpoints, "_POINT", wanted[0])
    monkeypatch.setattr(failpoints, "_NUMBER", wanted[1])
    for point in failpoints.POINTS:
        if point != "commit":
            failpoints.reach(point)
    for _ in range(number - 1):
        failpoints.reach("commit")
    assert kills == []
    failpoints.reach("commit")
    assert kills == [(os.getpid(), signal.SIGKILL)]


def test_without_the_variable_nothing_is_killed(
    monkeypatch: pytest.MonkeyPatch, kills: list[tuple[int, int]]
) -> None:
    monkeypatch.delenv(failpoints.VARIABLE, raising=False)
    monkeypatch.setattr(failpoints, "_POINT", failpoints._wanted()[0])
    for point in failpoints.POINTS:
        failpoints.reach(point)
    assert kills == []
