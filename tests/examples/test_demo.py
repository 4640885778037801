"""`make demo` in small: everything that was sent lands, and the program says so."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

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


@pytest.mark.serial  # the simulator's own port
def test_the_demos_last_words_work_as_they_stand(tmp_path):
    folder = tmp_path / "demo"
    command = [sys.executable, DEMO, "--seconds", "1", "--rate", "2000", "--folder", folder]
    done = subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    simulate, run = (line.split() for line in done.stdout.splitlines()[-2:])
    assert simulate[1:] == ["sim"]
    assert run[1:] == ["run", "demo/feeds.toml"]
    with subprocess.Popen(  # noqa: S603 - our own program
        simulate, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as simulator:
        try:
            assert simulator.stdout.readline() == "ws=ws://127.0.0.1:8760\n"
            again = subprocess.run(  # noqa: S603 - our own program
                [*run, "--duration", "5", "--strict"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
        finally:
            simulator.terminate()
            _, log = simulator.communicate(timeout=30)
    assert again.returncode == 0, again.stderr
    assert "client connected" in log
    assert "subscriptions=21" in log
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as database:
        (n_runs,) = database.execute("SELECT count(DISTINCT conn) FROM trades").fetchone()
    assert n_runs == 2
