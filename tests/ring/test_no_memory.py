"""No memory for a batch: an error says so, and nothing is lost or freed too early."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ring import without_memory

from tickwire.observe._build import PROFILE

HERE = Path(__file__).parent
COMPILER = shutil.which("cc") or shutil.which("gcc")
CASES = [name for name in vars(without_memory) if name.startswith("a_")]

pytestmark = [
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is preloaded is for glibc"),
    pytest.mark.skipif(COMPILER is None, reason="there is no C compiler"),
    pytest.mark.skipif(PROFILE in {"asan", "fuzz"}, reason="sanitizers have a malloc of their own"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Run all cases in one process, which imports what they need once."""
    preloaded = tmp_path_factory.mktemp("preloaded") / "no_memory.so"
    subprocess.run(  # noqa: S603 - our own source
        [str(COMPILER), "-O2", "-shared", "-fPIC", "-o", preloaded, HERE / "no_memory.c"],
        check=True,
    )
    # What measures lines of Python would allocate for each.
    uncounted = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    return subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-W", "error", "-m", "tests.ring.without_memory", *filter(can_run, CASES)],
        cwd=HERE.parents[1],
        env={**uncounted, "LD_PRELOAD": str(preloaded)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def has_failing_python() -> bool:
    return importlib.util.find_spec("_testcapi") is not None and PROFILE != "trace"


def can_run(case: str) -> bool:
    return has_failing_python() or not case.endswith(("pyarrow_fails", "none_waits"))


@pytest.mark.parametrize("case", CASES)
def test_without_memory(case: str, done: subprocess.CompletedProcess[str]) -> None:
    if not can_run(case):
        pytest.skip("this Python has no _testcapi, or tracing allocates for each line")
    assert case in done.stdout.split(), done.stderr
    assert (done.returncode, done.stderr) == (0, "")
