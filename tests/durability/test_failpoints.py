"""Points at which a process is killed."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

import tickwire
from tickwire import failpoints


def test_it_is_killed_at_the_pass_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []
    monkeypatch.setattr(failpoints.os, "kill", lambda pid, number: killed.append(number))
    monkeypatch.setenv(failpoints.VARIABLE, "rename:3")
    point, number = failpoints._wanted()
    monkeypatch.setattr(failpoints, "_POINT", point)
    monkeypatch.setattr(failpoints, "_NUMBER", number)
    monkeypatch.setattr(failpoints, "_n_reached", 0)
    for _ in range(2):
        failpoints.reach("rename")
        failpoints.reach("commit")
    assert killed == []
    failpoints.reach("rename")
    assert killed == [signal.SIGKILL]


@pytest.mark.parametrize(
    ("value", "wanted"), [("", ("", 1)), ("state", ("state", 1)), ("state:x", ("state", 1))]
)
def test_without_a_number_it_is_the_first_pass(
    monkeypatch: pytest.MonkeyPatch, value: str, wanted: tuple[str, int]
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, value)
    assert failpoints._wanted() == wanted


def test_each_point_stands_once_in_the_code() -> None:
    folder = Path(tickwire.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    found = [name for text in texts for name in re.findall(r'reach\("(\w+)"\)', text)]
    assert sorted(found) == sorted(failpoints.POINTS)
