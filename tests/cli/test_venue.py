"""`tickwire venue test`: a name, a file, or a name in a file; and its exit codes."""

import json
from pathlib import Path

import pytest
from tests.cli.program import tickwire

DECLARED = "from tests.venues.own import declare\nMINE = declare(name='mine')\n"
TRADE = {"type": "trade", "s": "A", "t": 1, "p": "1.5", "q": "2", "side": "buy", "id": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(DECLARED)
    (tmp_path / "two.py").write_text(DECLARED + "OTHER = MINE\n")
    (tmp_path / "wrong.py").write_text("1 / 0\n")
    (tmp_path / "good.jsonl").write_text(json.dumps(TRADE) + "\n")
    (tmp_path / "new.jsonl").write_text('{"new":1}\n')
    return tmp_path


def test_a_file_is_enough(folder: Path) -> None:
    done = tickwire("venue", "test", folder / "mine.py", folder / "good.jsonl", "--passes", 1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine (verified not said)\n")
    assert "trade" in done.stdout


def test_a_file_may_have_dataclasses(folder: Path) -> None:
    more = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    more += "@dataclass\nclass Own:\n    name: str\n"
    (folder / "more.py").write_text(more + DECLARED)
    done = tickwire("venue", "test", folder / "more.py", folder / "good.jsonl", "--passes", 0)
    assert done.returncode == 0, done.stderr


def test_json_has_the_same(folder: Path) -> None:
    place = f"{folder / 'two.py'}:OTHER"
    done = tickwire("venue", "test", place, folder / "good.jsonl", "--json", "--passes", 0)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(each["name"], each["rows"]) for each in found["kinds"]] == [("trade", {"trades": 1})]


def test_what_is_unknown_fails(folder: Path) -> None:
    done = tickwire("venue", "test", "okx", folder / "new.jsonl", "--passes", 0)
    assert done.returncode == 1
    assert "(unknown)" in done.stdout


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("two.py", "declares several: say"),
        ("two.py:NONE", "declares no venue NONE"),
        ("wrong.py", "cannot be run: ZeroDivisionError"),
        ("none.py", "no such file"),
    ],
)
def test_what_is_no_declaration_is_an_error_of_one_line(folder: Path, file: str, said: str) -> None:
    done = tickwire("venue", "test", folder / file, folder / "good.jsonl")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
