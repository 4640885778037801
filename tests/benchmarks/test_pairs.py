"""Two trees in turns: pairs, their order, the gate, and answers that do not count."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import pairs

CASE = "trades/ws"
PIPELINE = "tickwire[protocol]"
# In a tree's place: a Python that writes what a run of the benchmark writes.
FAKE = """#!/bin/sh
echo {name} >> {log}
cat > benchmarks/results/fake.part.json <<'END'
{document}
END
echo "wrote $PWD/benchmarks/results/fake.part.json"
exit 1
"""


def tree(path: Path, ns: float, *, checked: bool = True, faults: tuple[str, ...] = ()) -> Path:
    """Make a checkout whose benchmark always takes that long."""
    (path / "benchmarks" / "results").mkdir(parents=True)
    (path / ".venv" / "bin").mkdir(parents=True)
    run = {"cpu_ns_per_message": ns, "checked": checked, "faults": faults}
    document = {"results": [{"case": CASE, "pipeline": PIPELINE, "runs": [run]}]}
    python = path / ".venv" / "bin" / "python"
    log = path.parent / "order"
    python.write_text(FAKE.format(name=path.name, log=log, document=json.dumps(document)))
    python.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs.machine, "commit", os.fspath)


def run(there: Path, here: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    monkeypatch.setattr(pairs, "HERE", here)
    return pairs.main([str(there), "--case", CASE, "--pipeline", PIPELINE, "--runs", "3", *more])


def test_trees_take_turns_and_the_median_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = tree(tmp_path / "there", 100.0), tree(tmp_path / "here", 104.0)
    assert run(there, here, monkeypatch) == 1
    assert f"{CASE}, {PIPELINE}: 1.040 [1.04..1.04], 104 ns against 100" in capsys.readouterr().out
    order = (tmp_path / "order").read_text().split()
    assert order == ["there", "here", "here", "there", "there", "here"]
    assert run(there, here, monkeypatch, "--most", "1.05") == 0


@pytest.mark.parametrize("wrong", [{"checked": False}, {"faults": ("a row is missing",)}])
def test_a_wrong_answer_ends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
) -> None:
    there, here = tree(tmp_path / "there", 100.0), tree(tmp_path / "here", 50.0, **wrong)  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="the answer is wrong"):
        run(there, here, monkeypatch)


def test_a_run_that_fails_says_what_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = tree(tmp_path / "there", 100.0), tree(tmp_path / "here", 50.0)
    (there / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho no such case >&2\nexit 2\n")
    with pytest.raises(SystemExit, match="exit 2\nno such case"):
        run(there, here, monkeypatch)
