"""`tickwire bench`: what it prints, the JSON of the interface, and its errors."""

import json
from pathlib import Path

import pytest
from tests.cli.program import tickwire

from tickwire.bench.results import KEYS

SMALL = ("--case", "trades/ws", "--runs", "1", "--messages", "20000")


def test_throughput_is_measured_checked_and_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = tickwire("bench", "throughput", *SMALL, "--json", file)
    assert done.returncode == 0, done.stderr
    assert "trades/ws" in done.stdout
    assert "tickwire[protocol]" in done.stdout
    assert len(done.stderr.splitlines()) == 5
    document = json.loads(file.read_text())
    assert set(document) == {"machine", "commit", "build", "results"}
    assert document["machine"]["cpus"] > 0
    results = {result["pipeline"]: result for result in document["results"]}
    ours = {"tickwire[protocol]", "tickwire[stream]", "tickwire[picows]"}
    assert set(results) == ours | {"picows, empty callback", "recv alone"}
    for name, result in results.items():
        assert set(result) >= set(KEYS)
        assert result["case"] == "trades/ws"
        assert result["messages"] > 0
        assert result["messages_per_second"] > 0
        assert result["cpu_ns_per_message"] > 0
        assert result["latency_us"] is None
        assert result["offered_rate"] is None
        assert result["checked"] == (name in ours)
        assert result["rows"] == (30_000 if name in ours else 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--case", "news/ws"), "--case news/ws: should be one of trades/ws"),
        (("--runs", "0"), "--runs"),
        (("--messages", "5"), "--messages"),
        (("--fast",), "--fast"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str], words: str) -> None:
    done = tickwire("bench", "throughput", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("tickwire: ")
    assert words in line


def test_a_command_is_asked_for() -> None:
    done = tickwire("bench")
    assert done.returncode == 2
    assert done.stderr == "tickwire: Missing command. (see tickwire bench --help)\n"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = tickwire("bench", "throughput", *SMALL, "--json", tmp_path / "no" / "results.json")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith("results.json: No such file or directory")
