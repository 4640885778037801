"""Instructions of a paced message: a whole run, short, and what may be asked for."""

from __future__ import annotations

import shutil

import pytest
from benchmarks.paced.counted import main


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_message_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pipeline", "recv alone", "--seconds", "4"]) == 0
    said = capsys.readouterr().out
    if shutil.which("valgrind") is None:
        assert "SKIPPED" in said
        return
    n_instructions = int(said.partition(": ")[2].split()[0].replace(",", ""))
    assert 1_000 < n_instructions < 1_000_000


def test_a_pipeline_has_a_name_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--pipeline", "nothing like it"])
    assert "no pipeline has such a name" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--rate=nan", "--rate=0", "--rate=-5", "--seconds=nan"])
def test_a_pace_without_a_message_is_an_error(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([wrong])
    assert ended.value.code == 2
    assert "one message at least" in capsys.readouterr().err
