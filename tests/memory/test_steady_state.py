"""From bytes in the receive buffer to published rows, nothing is allocated for a message.

A thread's calls of malloc are counted; Python's own allocator is off, so that an object of Python
is one of them even if it is freed at once. Equal reads with twice the messages must make exactly as
many calls. What a read may make: a memoryview and its slice, the list of buffers, its number of
bytes; all of it is Python's around the read, and the same whatever the read brings.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.decode.payloads import CASES

from tickwire.observe._build import PROFILE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COMPILER = shutil.which("cc") or shutil.which("gcc")
MOST_PER_READ = 5

Counts = dict[str, dict[str, int]]

pytestmark = [
    pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc",
        reason="counts in front of glibc's malloc",
    ),
    pytest.mark.skipif(COMPILER is None, reason="there is no C compiler"),
    pytest.mark.skipif(
        PROFILE in ("asan", "fuzz", "trace"),
        reason="sanitizers have their own malloc, and tracing allocates for each line",
    ),
]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Counts:
    counter = tmp_path_factory.mktemp("counter") / "allocations.so"
    subprocess.run(  # noqa: S603 - our own source
        [str(COMPILER), "-O2", "-shared", "-fPIC", "-o", counter, HERE / "allocations.c"],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.steady"],
        cwd=ROOT,
        env=os.environ
        | {"LD_PRELOAD": str(counter), "PYTHONMALLOC": "malloc", "PYTHONPATH": _path()},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Counts = json.loads(done.stdout)
    return found


def _path() -> str:
    return os.pathsep.join(path for path in sys.path if path)


@pytest.mark.parametrize("case", CASES)
def test_messages_allocate_nothing(counts: Counts, case: str) -> None:
    each = counts[case]
    assert each["many_per_read"] >= 2 * each["few_per_read"]
    assert each["many"] == each["few"]


@pytest.mark.parametrize("case", CASES)
def test_a_read_allocates_only_what_python_needs_for_it(counts: Counts, case: str) -> None:
    each = counts[case]
    assert each["few"] <= MOST_PER_READ * each["reads"]


def test_the_counter_sees_an_object_for_each_message(counts: Counts) -> None:
    assert counts["kept"]["allocations"] > counts["kept"]["messages"]
