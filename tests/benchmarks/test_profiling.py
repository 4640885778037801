"""Stacks of perf and py-spy in one form, their graph, and what is said where neither works."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.decode.payloads import CASES
from benchmarks.flamegraph import group_of, spent_itself, svg
from benchmarks.stacks import libraries_of, of_perf, of_spy

from benchmarks import busy_feed, in_process, lines, profiling

ROOT = Path(__file__).parents[2]
TICKWIRE = "/x/src/tickwire"
PERF = f"""
        ffffffff81 _copy_to_iter ([kernel.kallsyms])
        ffffffff82 vfs_readv ([kernel.kallsyms])
            7f1 readv (/usr/lib/libc.so.6)
            7f2 [unknown] ([unknown])

            71c0 tw_run_avx2 ({TICKWIRE}/decode/_steps.cpython-311-x86_64-linux-gnu.so)
            71c1 __pyx_f_8tickwire_6decode_5_walk_6Walker_walk ({TICKWIRE}/decode/_walk.cpython.so)
            1aaa PyObject_Vectorcall (/usr/lib/libpython3.11.so.1.0)
            7f2 [unknown] ([unknown])
            7f3 main (/usr/bin/python)

            71c0 tw_run_avx2 ({TICKWIRE}/decode/_steps.cpython-311-x86_64-linux-gnu.so)
            71c1 __pyx_f_8tickwire_6decode_5_walk_6Walker_walk ({TICKWIRE}/decode/_walk.cpython.so)
            1aaa PyObject_Vectorcall (/usr/lib/libpython3.11.so.1.0)

            7f2 [unknown] ([unknown])
""".splitlines()
EXT = "/x/ext/tickwire"
HEADERS = "/x/ext/tickwire/decode"
SPY = [
    "main (/x/a.py:9);<module> (/x/b.py:1);import (/x/c.py:3) 40",
    f"main (/x/a.py:9);steady (/x/a.py:7);0x7f;buffer_updated ({EXT}/net/_receiver.pyx:75);"
    f"buffer_updated ({EXT}/net/_receiver.pyx:79);"
    f"Receiver_parse ({EXT}/net/_receiver.pyx:9);"
    f"tw_run ({HEADERS}/steps.h:3);_mm256_or_si256 (/usr/lib/gcc/avx2intrin.h:1) 3",
    f"main (/x/a.py:9);steady (/x/a.py:7);_seen__in_set ({EXT}/decode/_seen.pyx:5);"
    "memcpy (libc.so.6) 2",
    "steady (/x/a.py:7);_life (/x/a.py:9);load (/x/c.py:3) 7",
]


def test_perf_loses_its_way_outside_of_tickwire() -> None:
    assert of_perf(PERF) == {
        ("readv", "[k] vfs_readv", "[k] _copy_to_iter"): 1,
        ("PyObject_Vectorcall", "decode._walk.Walker.walk", "decode._steps.tw_run_avx2"): 2,
    }


def test_a_sample_without_its_stack_belongs_to_whose_code_it_was_in() -> None:
    lines = [
        "  ffffffff81 _copy_to_iter ([kernel.kallsyms])",
        f"  71c0 tw_run_avx2 ({TICKWIRE}/decode/_steps.cpython-311-x86_64-linux-gnu.so)",
        "  1aaa PyObject_Vectorcall (/usr/lib/libpython3.11.so.1.0)",
        "  1aab _PyEval_EvalFrameDefault (/usr/bin/python3.11)",
        "  1aac sock_recv_into (/usr/lib/python3.11/lib-dynload/_socket.cpython-311.so)",
        "  7f1 epoll_wait (/usr/lib/libc.so.6)",
        "  7f2 run (/x/lib/python3.11/site-packages/uvloop/loop.cpython-311.so)",
        "  7f3 dumps (/x/lib/python3.11/site-packages/orjson/orjson.cpython-311.so)",
        "not a sample",
    ]
    assert libraries_of(lines) == {
        "Linux": 1, "tickwire.decode": 1, "Python": 3, "libc": 1, "uvloop": 1, "orjson": 1
    }  # fmt: skip


def test_a_checkout_that_is_called_tickwire_owns_its_rooms_alone() -> None:
    venv = "/x/tickwire/.venv/lib/python3.11/site-packages"
    lines = [
        f"  7f1 run ({venv}/uvloop/loop.cpython-311.so)",
        "  7f2 tw_run_avx2 (/x/tickwire/src/tickwire/decode/_steps.cpython-311.so)",
        f"  7f3 tw_run_avx2 ({venv}/tickwire/wire/_frames.cpython-311.so)",
    ]
    assert libraries_of(lines) == {"uvloop": 1, "tickwire.decode": 1, "tickwire.wire": 1}


def test_of_py_spy_the_steady_part_is_kept() -> None:
    assert of_spy(SPY) == {
        (
            "steady (python)",
            "net._receiver.buffer_updated",
            "net._receiver.Receiver.parse",
            "net._receiver.tw_run",
        ): 3,
        ("steady (python)", "decode._seen._in_set", "memcpy"): 2,
    }


def test_the_pages_name_what_there_is() -> None:
    page = (ROOT / "docs" / "profiling.md").read_text()
    for name in (*CASES, *(f"feed:{name}" for name in busy_feed.FEEDS)):
        assert f"`{name}`" in page
    makefile = (ROOT / "Makefile").read_text()
    verbs = set(re.findall(r"^([\w-]+):", makefile, re.M))
    pages = page + (ROOT / "benchmarks" / "README.md").read_text()
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", pages, re.M))
    assert {"profile", "profile-lines", "instructions", "bench-modules"} <= named <= verbs


def test_a_graph_is_as_wide_as_its_samples() -> None:
    samples = Counter({("a<b>", "decode._walk.Walker.walk"): 3, ("a<b>",): 1, ("c",): 4})
    root = ET.fromstring(svg(samples, "it & all"))  # noqa: S314 - our own
    boxes = {}
    for box in root.iter("{http://www.w3.org/2000/svg}g"):
        title, rect = box[0].text, box[1]
        assert title is not None
        boxes[title.partition(":")[0]] = {
            name: float(rect.get(name, "nan")) for name in ("x", "y", "width")
        }
    assert boxes["all"]["width"] == 1600
    assert boxes["a<b>"]["width"] == boxes["c"]["width"] == 800
    assert boxes["c"]["x"] == 800
    walk = boxes["decode._walk.Walker.walk"]
    assert walk["width"] == 600
    assert walk["y"] < boxes["a<b>"]["y"] < boxes["all"]["y"]
    assert spent_itself(samples) == {"decode._walk.Walker.walk": 3, "a<b>": 1, "c": 4}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("wire._parser.FrameParser.feed", "wire"),
        ("decode._steps.tw_run_avx2", "decode"),
        ("_PyObject_Malloc", "Python"),
        ("PyLong_FromLong", "Python"),
        ("steady (python)", "Python"),
        ("[k] vfs_read", "kernel"),
        ("memcpy", "other"),
        ("ring", "other"),
    ],
)
def test_a_function_belongs_to_somebody(name: str, group: str) -> None:
    assert group_of(name) == group


def test_without_any_tool_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(profiling, "BIN", tmp_path)
    for tool, word in (("auto", "--group profile"), ("perf", "linux-perf"), ("memray", "memray")):
        assert profiling.main(["--tool", tool]) == 1
        assert word in capsys.readouterr().err


@pytest.mark.volume
def test_the_loads_become_steady(capsys: pytest.CaptureFixture[str]) -> None:
    in_process.main(["--case", "l2Book", "--seconds", "0.1"])
    busy_feed.main(["--case", "mix/ws", "--seconds", "0.2"])
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["steady", "l2Book", "steady", "mix/ws"]


def test_lines_are_counted_per_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lines, "EXT", tmp_path)
    source = tmp_path / "wire" / "_it.pyx"
    source.parent.mkdir()
    source.write_text("cdef int f():\n    return 1\n")
    runs = Counter({("ext/tickwire/wire/_it.pyx", 2): 30, ("elsewhere.py", 1): 5})
    assert lines.annotated(runs, 20, source).splitlines() == [
        "              1  cdef int f():",
        "      1.50    2      return 1",
    ]
    assert lines.by_file(runs, 20).splitlines() == ["lines per message", "      1.50  wire/_it.pyx"]


def test_each_line_is_noted_once() -> None:
    noted: Counter[int] = Counter()

    def loop() -> int:
        total = 0
        for n in range(5):
            total += n
        return total

    first = loop.__code__.co_firstlineno

    def note(name: str, line: int) -> None:
        if name == __file__:
            noted[line - first] += 1

    with lines.each_line(note):
        loop()
    assert (noted[1], noted[3], noted[4]) == (1, 5, 1)
    before = noted.copy()
    loop()
    assert noted == before


def test_lines_need_the_build_that_traces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lines.machine, "build", lambda: "release")
    assert lines.main([]) == 1
    assert "TICKWIRE_BUILD=trace" in capsys.readouterr().err
