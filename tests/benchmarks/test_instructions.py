"""Every stretch whose instructions are counted does the work that it names."""

import json

import pytest
from benchmarks.in_process import Frames
from benchmarks.instructions import STRETCHES, count, document, main, table

from benchmarks import instructions

QUICK = ("trade", "l2Book", "binance depth 10", "trade/frames", "trade/frames/alone")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.thorough) for name in STRETCHES],
)
def test_a_stretch_decodes_all_its_messages(name, tmp_path):
    # `count` checks the rows itself; the marks mean nothing here.
    stretch = STRETCHES[name]
    n_reads = sum(stretch.parts)
    path = tmp_path / "frames"
    with Frames.write(path, stretch.case, n_reads, per_read=int(stretch.alone)) as frames:
        assert (frames.per_read == 1) is stretch.alone
        count(name, frames)


def test_a_message_that_gives_no_row_is_told(tmp_path):
    path = tmp_path / "frames"
    n_reads = sum(STRETCHES["trade"].parts)
    with Frames.write(path, "trade", n_reads) as frames:
        text = path.read_bytes()
        path.write_bytes(text.replace(b'"px"', b'"pX"', 1))
        with pytest.raises(AssertionError):
            count("trade", frames)


def test_without_valgrind_it_is_skipped_and_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--again"]) == 0
    assert "SKIPPED: instructions were not counted: there is no valgrind" in capsys.readouterr().out


def test_a_commit_is_counted_once(monkeypatch, tmp_path, capsys):
    found = {"trade": {"instructions": 3000.5, "bytes": 308.1, "messages_per_read": 200}}
    monkeypatch.setattr(instructions, "RESULTS", tmp_path)
    monkeypatch.setattr(instructions.machine, "commit", lambda: "0123456789ab")
    text = json.dumps(document(found))
    (tmp_path / "0123456789ab.instructions.json").write_text(text)
    assert json.loads(text)["instructions"] == {"trade": 3000.5}
    assert main([]) == 0
    assert table(found) in capsys.readouterr().out
