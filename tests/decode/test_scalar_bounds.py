"""Scalars that end where their memory ends: no byte behind them is read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "ext"
COMPILER = shutil.which("cc") or shutil.which("gcc")
TEXTS = (
    "1234567890123456789.12345678901234567890",
    "-1234567.1234567e+1234567",
    "12345678",
    '"\\u00e9\\ud83d\\ude00\\n"',
    '"' + "x" * 70 + '\\u1234"',
    "2024-02-29T23:59:60.123456789+12:34",
    '[{"a":[1,2,"\\\\"],"b":{}},true,false,null]',
    "   {  }   ",
)

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


@pytest.mark.parametrize("optimization", ["-O0", "-O2"])
def test_nothing_is_read_behind_the_end(tmp_path: Path, optimization: str) -> None:
    program = tmp_path / "scalar_bounds"
    command = [str(COMPILER), optimization, "-std=c11", f"-I{INCLUDE}"]
    subprocess.run(  # noqa: S603 - our own
        [*command, HERE / "scalar_bounds.c", "-o", program], check=True
    )
    done = subprocess.run(  # noqa: S603 - our own
        [program], input="\n".join(TEXTS) + "\n", text=True, timeout=60, check=False
    )
    assert done.returncode == 0
