"""What counts as a good run of the suite."""

import json
from pathlib import Path

import pytest
from tests.conformance.report import Verdict, problems, read, table

GOOD = {
    "1.1.1": Verdict("OK", "OK", 1000),
    "3.2": Verdict("NON-STRICT", "OK", 1002),
    "7.1.6": Verdict("INFORMATIONAL", "INFORMATIONAL"),
    "12.1.1": Verdict("OK", "OK", 1000),
}


def test_good_verdicts_are_no_problem() -> None:
    assert problems(GOOD, GOOD) == []


@pytest.mark.parametrize(
    ("case", "verdict", "told"),
    [
        ("1.1.1", Verdict("FAILED", "OK", 1000), "1.1.1: FAILED, close OK, close code 1000"),
        ("1.1.1", Verdict("OK", "FAILED BY CLIENT"), "1.1.1: OK, close FAILED BY CLIENT"),
        ("1.1.1", Verdict("OK", "WRONG CODE", 1), "1.1.1: OK, close WRONG CODE, close code 1"),
        ("1.1.1", Verdict("OK", "UNCLEAN"), "1.1.1: OK, close UNCLEAN"),
        ("12.1.1", Verdict("UNIMPLEMENTED", "OK"), "12.1.1: UNIMPLEMENTED, close OK"),
    ],
)
def test_bad_verdicts_are(case: str, verdict: Verdict, told: str) -> None:
    assert problems({**GOOD, case: verdict}, GOOD) == [told]


def test_what_has_no_report_or_was_not_asked_for_is_a_problem() -> None:
    assert problems({}, ["10.1.1", "9.1.1"]) == ["9.1.1: no report", "10.1.1: no report"]
    assert problems(GOOD, ["1.1.1", "7.1.6", "12.1.1"]) == ["3.2: not asked for"]


def test_reading_what_the_suite_wrote(tmp_path: Path) -> None:
    assert read(tmp_path, "protocol") == {}
    found = {"behavior": "OK", "behaviorClose": "UNCLEAN", "remoteCloseCode": 1000, "duration": 2}
    (tmp_path / "index.json").write_text(json.dumps({"protocol": {"1.1.1": found}}))
    assert read(tmp_path, "protocol") == {"1.1.1": Verdict("OK", "UNCLEAN", 1000)}
    assert read(tmp_path, "stream") == {}


def test_the_table_counts_both_verdicts_and_names_what_is_not_ok() -> None:
    shown = table("protocol", {**GOOD, "1.1.2": Verdict("FAILED", "UNCLEAN")})
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[1] == "cases OK NON-STRICT INFORMATIONAL UNIMPLEMENTED FAILED other"
    assert lines[2] == "1.* 2 1 / 1 - - - 1 / 0 0 / 1"
    assert "12.* 1 1 / 1 - - - - -" in lines
    assert lines[6] == "all 5 2 / 3 1 / 0 1 / 1 - 1 / 0 0 / 1"
    assert "NON-STRICT: 3.2" in lines
    assert "INFORMATIONAL: 7.1.6" in lines
