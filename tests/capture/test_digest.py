"""The id of a capture follows from what its files hold, and from nothing else."""

from pathlib import Path

import pytest

from tickwire.capture import digest_of
from tickwire.errors import CaptureError


def test_names_do_not_count_but_order_content_and_part_do(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("a", "b", "same_as_a", "other")}
    for path, text in zip(files.values(), ("1", "2", "1", "3"), strict=True):
        path.write_text(text)
    both = digest_of([files["a"], files["b"]])
    assert len(both) == 16
    assert both == digest_of([files["same_as_a"], files["b"]])
    others = {
        digest_of([files["b"], files["a"]]),
        digest_of([files["a"], files["other"]]),
        digest_of([files["a"]]),
        digest_of([files["a"], files["b"]], ("source", 0)),
        digest_of([files["a"], files["b"]], ("source", 1)),
    }
    assert len(others | {both}) == 6


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nothing\.jsonl: No such file or directory"):
        digest_of([tmp_path / "nothing.jsonl"])
