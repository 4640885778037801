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
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("preloaded") / "no_memory.so"
    subprocess.run(  # noqa: S603 - our own source
        [str(COMPILER), "-O2", "-shared", "-fPIC", "-o", path, HERE / "no_memory.c"], check=True
    )
    return path


@pytest.mark.parametrize("case", CASES)
def test_without_memory(case: str, preloaded: Path) -> None:
    if case.endswith(("pyarrow_fails", "none_waits")):
        if importlib.util.find_spec("_testcapi") is None:
            pytest.skip("this Python has no _testcapi")
        if PROFILE == "trace":
            pytest.skip("tracing allocates for each line")
    # What measures lines of Python would allocate for each.
    untraced = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-W", "error", "-m", "tests.ring.without_memory", case],
        cwd=HERE.parents[1],
        env={**untraced, "LD_PRELOAD": str(preloaded)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
