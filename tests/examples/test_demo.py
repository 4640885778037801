"""`make demo` in small: everything that was sent lands, and the program says so."""

import subprocess
import sys
from pathlib import Path

import duckdb

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


def test_the_demo_succeeds_twice_in_the_same_folder(tmp_path):
    folder = tmp_path / "demo"
    for _ in range(2):
        command = [sys.executable, DEMO, "--seconds", "1", "--rate", "2000", "--folder", folder]
        done = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("all there") == 6
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as database:
        n_rows, n_ids, first, last = database.execute(
            "SELECT count(*), count(DISTINCT trade_id), min(seq), max(seq) FROM trades"
        ).fetchone()
    assert n_rows == n_ids == last - first + 1
    assert n_rows > 100
