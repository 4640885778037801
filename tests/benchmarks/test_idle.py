"""What idle feeds cost: a whole run, short, and what may be asked for."""

from __future__ import annotations

import pytest
from benchmarks.idle import main


@pytest.mark.thorough
def test_an_idle_feed_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--sources", "2", "--seconds", "0.5"])
    assert status == 0
    assert "2 sources: " in capsys.readouterr().out


def test_a_feed_has_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--sources", "0"])
    assert "a source at least" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--seconds=nan", "--seconds=0", "--seconds=-1"])
def test_a_time_that_cannot_be_is_an_error(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([wrong])
    assert ended.value.code == 2
    assert "a source at least, and some time" in capsys.readouterr().err
