"""`make demo` in small: everything that was sent lands, and the program says so."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The folder in which the demo ran, and what it printed."""
    folder = tmp_path_factory.mktemp("shop")
    return folder, demo(folder)


def demo(folder):
    command = [sys.executable, DEMO, "--seconds", "1", "--rate", "2000", "--folder", "demo"]
    done = subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, text=True, timeout=90, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all there") == 6
    return done.stdout


def ask(folder, query):
    with duckdb.connect(str(folder / "demo" / "market.duckdb"), read_only=True) as database:
        return database.execute(query).fetchone()


@pytest.mark.thorough
def test_the_demo_succeeds_again_in_the_same_folder(shop):
    folder, _ = shop
    demo(folder)
    n_rows, n_ids, first, last = ask(
        folder, "SELECT count(*), count(DISTINCT trade_id), min(seq), max(seq) FROM trades"
    )
    assert n_rows == n_ids == last - first + 1
    assert n_rows > 100


def test_the_demos_last_words_work_as_they_stand(shop):  # by the simulator's own port
    folder, words = shop
    count = "SELECT count(DISTINCT conn) FROM trades"
    (n_runs,) = ask(folder, count)
    simulate, run = (line.split() for line in words.splitlines()[-2:])
    assert simulate[1:] == ["sim"]
    assert run[1:] == ["run", "demo/feeds.toml"]
    with subprocess.Popen(  # noqa: S603 - our own program
        simulate, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as simulator:
        try:
            assert simulator.stdout.readline() == "ws=ws://127.0.0.1:8760\n"
            again = subprocess.run(  # noqa: S603 - our own program
                [*run, "--duration", "3", "--strict"],
                cwd=folder,
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
    assert ask(folder, count) == (n_runs + 1,)
