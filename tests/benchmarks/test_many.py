"""Many connections beside one: a whole run, small, and what may be asked for."""

from __future__ import annotations

import pytest
from benchmarks.many import main


@pytest.mark.thorough
def test_connections_are_compared_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--connections", "3", "--rate", "300", "--seconds", "1"])
    said = capsys.readouterr().out
    assert "| 3 |" in said
    # What a process has once weighs more than three connections do: either may come out.
    assert ("MISSED: memory of a connection" in said) == bool(status)
    assert "CPU per message against one connection: " in said


def test_one_connection_is_compared_with_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--connections", "1"])
    assert "two connections at least" in capsys.readouterr().err
