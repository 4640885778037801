from __future__ import annotations

import threading
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.sinks.files import DurableFile, path_segment, start_mark
from tickwire.sinks.retry import Retry

SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_segment_is_safe_and_decodes_to_the_text(text):
    segment = path_segment(text)
    assert set(segment) <= SAFE
    assert segment not in (".", "..")
    assert unquote(segment) == text


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("binance-usdm", "binance-usdm"),
        ("..", "%2E%2E"),
        ("../x", "%2E.%2Fx"),
        ("_hidden", "%5Fhidden"),
        ("~root", "%7Eroot"),
        ("", "%00"),
    ],
)
def test_segments_by_example(text, segment):
    assert path_segment(text) == segment


def test_start_marks_sort_as_times_do():
    times_ns = [1, 999_999_999, 10**9, 1_723_161_255_319_702_566, 1_723_161_255_319_702_567]
    marks = [start_mark(time_ns) for time_ns in times_ns]
    assert marks == sorted(marks)
    assert marks[3] == "20240808T235415.319702566"


def test_a_durable_file_is_new_and_counts_its_bytes(tmp_path):
    path = tmp_path / "file"
    file = DurableFile(path, Retry(threading.Event()))
    assert file.write(b"abc") == 3
    assert file.write(memoryview(b"defg")[1:]) == 3
    assert file.tell() == 6
    file.sync()
    file.close()
    file.close()
    assert path.read_bytes() == b"abcefg"
    with pytest.raises(ValueError, match="closed"):
        file.write(b"x")
    with pytest.raises(FileExistsError):
        DurableFile(path, Retry(threading.Event()))


def test_an_abandoned_file_takes_writes_and_keeps_none(tmp_path):
    file = DurableFile(tmp_path / "file", Retry(threading.Event()))
    file.write(b"abc")
    file.abandon()
    assert file.write(b"defg") == 4
    file.close()
    assert (tmp_path / "file").read_bytes() == b"abc"
