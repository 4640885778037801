"""Instructions and system calls of a paced message: short runs, and what may be asked for."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

pytest.importorskip("websockets", reason="the dependency group bench is not installed")
pytest.importorskip("matplotlib", reason="the dependency group bench is not installed")

from benchmarks.paced.counted import Cost, cost_of, judge, main
from benchmarks.paced.plan import ORJSON, RECV, ROWS


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("tool", "arguments", "low", "high"),
    [("valgrind", [], 1_000.0, 100_000.0), ("strace", ["--calls"], 1.9, 10.0)],
)
def test_a_message_is_counted(
    tool: str, arguments: list[str], low: float, high: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--pipeline", "recv alone", "--messages", "50", *arguments]) == 0
    said = capsys.readouterr().out
    if shutil.which(tool) is None:
        assert f"SKIPPED: there is no {tool}" in said
        return
    assert low < float(said.partition(": ")[2].split()[0].replace(",", "")) < high


def test_what_the_clock_does_is_told_from_what_messages_do() -> None:
    # 10 instructions a message, 100 a second: of 2 s and of 1 s.
    cost = cost_of(RECV, Counter(read=1_000, look=200), Counter(read=1_000, look=100), (2, 1), 100)
    assert cost.per_message == {"read": 10.0, "look": 0.0}
    assert cost.per_second == {"read": 0.0, "look": 100.0}
    assert cost.at(1_000.0) == pytest.approx(10.1)


def test_gates_are_lines_of_a_table_where_both_were_counted() -> None:
    rows, row = Cost(ROWS, {"all": 90.0}, {"all": 10_000.0}), Cost(ORJSON, {"all": 100.0}, {})
    assert judge([rows], "instructions") == []
    head, rule, line = judge([rows, row], "instructions")
    assert head.count("|") == rule.count("|") == line.count("|") == 7
    assert "100.0 / 100.0 | 91.0 / 100.0 | 1.00 | 0.91 | 0.9 |" in line


def test_a_pipeline_has_a_name_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--pipeline", "nothing like it"])
    assert "no pipeline has such a name" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--messages=0", "--pause-ms=nan", "--pause-ms=0"])
def test_a_stretch_without_a_message_or_a_pause_is_an_error(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([wrong])
    assert ended.value.code == 2
    assert "one message at least" in capsys.readouterr().err
