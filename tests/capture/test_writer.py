from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickwire.capture import Capture, CaptureWriter, Message, RestAnswer
from tickwire.errors import CaptureError


@pytest.mark.parametrize("name", ["a.jsonl", "a.b.jsonl.zst"])
def test_what_is_written_is_read(tmp_path, name):
    with CaptureWriter(tmp_path / name) as writer:
        writer.write_answer(5, "http://x?a=1", '{"é": 1}\n'.encode(), 3)
        writer.write_message(b'{"a":1}', 5, 3)
        writer.write_message("é".encode(), 6, 2**31 - 1)
        writer.write_message(b"", 2**63 - 1)
        assert writer.n_messages == 3
    capture = Capture.open(tmp_path / name)
    assert capture.n_messages == 3
    assert list(capture.events()) == [
        RestAnswer(5, 3, "http://x?a=1", '{"é": 1}\n'.encode()),
        Message(1, 5, 3, b'{"a":1}'),
        Message(2, 6, 2**31 - 1, "é".encode()),
        Message(3, 2**63 - 1, 0, b""),
    ]
    endings = {path.suffix for path in tmp_path.iterdir()}
    assert endings == ({".zst"} if name.endswith(".zst") else {".jsonl", ".tsv"})


def test_without_times_there_is_no_meta_file(tmp_path):
    with CaptureWriter(tmp_path / "a.jsonl", has_times=False) as writer:
        writer.write_message(b"x", 77)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert list(Capture.open(tmp_path / "a.jsonl").events()) == [Message(1, 1, 0, b"x")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.sampled_from([1, 2, "\n", "\r\n\t"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_newlines_between_tokens_keep_the_value_and_the_length(tmp_path, value, indent):
    payload = json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with CaptureWriter(tmp_path / "a.jsonl") as writer:
        writer.write_message(payload)
    (message,) = Capture.open(tmp_path / "a.jsonl").messages()
    assert len(message.payload) == len(payload)
    assert message.payload == payload.replace(b"\n", b" ")
    assert json.loads(message.payload) == value


@pytest.mark.parametrize("payload", [b"hello\nworld", b'{"a": "b\nc"}', b"\n", b"{}\n{}"])
def test_a_newline_that_is_not_between_tokens_is_refused(tmp_path, payload):
    with CaptureWriter(tmp_path / "a.jsonl") as writer:
        writer.write_message(b"before", 1)
        with pytest.raises(CaptureError, match="holds a newline"):
            writer.write_message(payload, 2)
        writer.write_message(b"after", 3)
    messages = list(Capture.open(tmp_path / "a.jsonl").messages())
    assert messages == [Message(1, 1, 0, b"before"), Message(2, 3, 0, b"after")]


def test_an_answer_that_is_not_utf8_is_refused(tmp_path):
    with CaptureWriter(tmp_path / "a.jsonl") as writer, pytest.raises(CaptureError, match="UTF-8"):
        writer.write_answer(1, "http://x", b"\xff")


@pytest.mark.parametrize("name", ["a.json", "a.zst", "none/a.jsonl"])
def test_a_path_that_cannot_be_written_is_named(tmp_path, name):
    with pytest.raises(CaptureError, match=name):
        CaptureWriter(tmp_path / name)
