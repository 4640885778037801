"""The example of docs/recording.md runs as it stands."""

import re
from pathlib import Path

import pytest
from tests.capture.recordings import Written

DOCUMENT = Path(__file__).parents[2] / "docs" / "recording.md"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rec").mkdir()
    written = Written(tmp_path / "rec")
    written.put(b"12345", b"678")
    written.finish()
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    exec(code, {})  # noqa: S102 - our own document
    shown = capsys.readouterr().out
    assert "message" in shown
    assert "8" in shown
