"""Instructions are counted between two marks, and each function's own are its own."""

import shutil
import subprocess
import sys

import pytest
from benchmarks.callgrind import functions_of, readable, totals_of

VALGRIND = shutil.which("valgrind")
DUMP = """# callgrind format
events: Ir Bcm
summary: 60 3

ob=(1) libc.so
fl=(1) ???
fn=(1) main
0 10 1
cfn=(2) __pyx_f_8tickwire_4wire_7_parser_11FrameParser_feed
calls=2 0
0 50 2

fn=(2)
0 20
+3 5 2
cfn=(2)
calls=1 0
* 25

fn=(3) __pyx_f_8tickwire_4wire_7_parser_11FrameParser_feed'2
-1 25

fn=(4)
cfn=(5) begun_before
calls=0 242
0 60 3

totals: 60 3
"""


def test_a_call_is_left_to_what_was_called(tmp_path):
    dump = tmp_path / "dump"
    dump.write_text(DUMP.replace("fn=(4)", "fn=(4) outermost"))
    assert functions_of(dump) == {"main": 10, "wire._parser.FrameParser.feed": 50}
    assert totals_of(dump) == {"Ir": 60, "Bcm": 3}


def test_what_was_cut_is_refused(tmp_path):
    dump = tmp_path / "dump"
    dump.write_text(DUMP.partition("totals")[0])
    with pytest.raises(ValueError, match="not whole"):
        totals_of(dump)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("memcpy", "memcpy"),
        ("__pyx_f_8tickwire_6decode_5_walk_6Walker_keyed'2", "decode._walk.Walker.keyed"),
        ("__pyx_f_8tickwire_4ring_7_export_take", "ring._export.take"),
        (
            "__pyx_pw_8tickwire_3net_9_receiver_8Receiver_11buffer_updated",
            "net._receiver.Receiver.buffer_updated",
        ),
    ],
)
def test_names_are_those_of_the_source(name, expected):
    assert readable(name) == expected


LOOPS = """
import itertools, os
def spin(n):
    for _ in itertools.repeat(None, n):
        pass
spin(1000)
for n in (1000, 11000):
    os.ctermid()
    spin(n)
os.ctermid()
"""


@pytest.mark.skipif(VALGRIND is None, reason="there is no valgrind")
def test_only_what_lies_between_two_marks_is_counted(tmp_path):
    subprocess.run(  # noqa: S603 - our own program
        [
            VALGRIND,
            "--quiet",
            "--tool=callgrind",
            "--dump-before=ctermid",
            f"--callgrind-out-file={tmp_path / 'counts'}",
            sys.executable,
            "-I",
            "-S",
            "-c",
            LOOPS,
        ],
        env={},  # what a sanitizer preloads has no place under valgrind
        check=True,
    )
    before, few, more = (totals_of(tmp_path / f"counts.{n}")["Ir"] for n in (1, 2, 3))
    assert before > more > few
    a_turn = (more - few) / 10_000
    assert 2 < a_turn < 200
    # What a stretch costs once is small beside its 1,000 turns, and in both.
    assert few == pytest.approx(1000 * a_turn, abs=20_000)
    assert sum(functions_of(tmp_path / "counts.3").values()) == more
