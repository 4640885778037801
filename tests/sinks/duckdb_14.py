"""DuckDB 1.4, the version that files are made for, in a process and a folder of its own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

VERSION = "1.4.5"
FOLDER = Path(__file__).parents[2] / "build" / f"duckdb-{VERSION}-py{sys.version_info.minor}"

READER = """
import json, sys
import duckdb
assert duckdb.__version__ == sys.argv[1], duckdb.__version__
with duckdb.connect(sys.argv[2]) as connection:
    print(json.dumps([connection.execute(sql).fetchall() for sql in sys.argv[3:]]))
"""


def installed() -> Path:
    """Install it from the package index, once per checkout; an error where that fails."""
    FOLDER.parent.mkdir(exist_ok=True)
    with Path(f"{FOLDER}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not (FOLDER / "duckdb").is_dir():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            command += ["--disable-pip-version-check", "--target", str(FOLDER)]
            subprocess.run([*command, f"duckdb=={VERSION}"], check=True)  # noqa: S603
    return FOLDER


def ask(file: Path, *queries: str, time_zone: str = "UTC") -> list[Any]:
    """Ask DuckDB 1.4 and give all rows of each answer."""
    environment = {**os.environ, "PYTHONPATH": str(installed()), "TZ": time_zone}
    environment.pop("LD_PRELOAD", None)  # sanitizers that it was not built with
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", READER, VERSION, str(file), *queries],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert isinstance(answers, list)
    return answers
