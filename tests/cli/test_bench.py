"""`tickwire bench`: what it prints, the JSON of the interface, and its errors."""

import json
from pathlib import Path

import pytest
from tests.cli.program import tickwire

from tickwire.bench.jobs import BASELINES, TICKWIRE
from tickwire.bench.results import KEYS
from tickwire.bench.runs import Result
from tickwire.bench.stages import TO_COMMIT
from tickwire.cli import bench

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
    pipelines = {"tickwire[protocol]", "tickwire[stream]", "tickwire[picows]"}
    assert set(results) == pipelines | {"picows, empty callback", "recv alone"}
    for name, result in results.items():
        assert set(result) >= set(KEYS)
        assert result["case"] == "trades/ws"
        assert result["messages"] > 0
        assert result["messages_per_second"] > 0
        assert result["cpu_ns_per_message"] > 0
        assert result["latency_us"] is None
        assert result["offered_rate"] is None
        assert result["checked"] == (name in pipelines)
        assert result["rows"] == (30_000 if name in pipelines else 0)


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


@pytest.mark.parametrize("group", ["bench", "capture", "venue"])
def test_a_command_is_asked_for(group: str) -> None:
    done = tickwire(group)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"tickwire: Missing command. (see tickwire {group} --help)\n"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = tickwire("bench", "throughput", *SMALL, "--json", tmp_path / "no" / "results.json")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith("no is not a folder that can be written")


def test_latency_is_measured_from_due_times_checked_and_written(tmp_path: Path) -> None:
    file, folder = tmp_path / "results.json", tmp_path / "histograms"
    short = ("--rate", "5000", "--runs", "1", "--seconds", "0.1", "--commit-seconds", "0.2")
    done = tickwire("bench", "latency", *short, "--json", file, "--histograms", folder)
    assert done.returncode == 0, done.stderr
    assert "sent_to_ring" in done.stdout
    document = json.loads(file.read_text())
    stages = {result["stage"]: result for result in document["results"]}
    assert list(stages) == ["sent_to_recv", "sent_to_ring", "sent_to_batch", "sent_to_commit"]
    for stage, result in stages.items():
        assert set(result) >= set(KEYS)
        assert result["offered_rate"] == 5000.0
        assert result["checked"] == (stage != "sent_to_recv")
        assert set(result["latency_us"]) >= {"p50", "p99", "p999", "max"}
        assert result["latency_us"]["p50"] > 0
        assert result["messages"] == (1000 if stage == "sent_to_commit" else 500)
        assert f"{stage} " in done.stderr
    assert len(list(folder.glob("*.hgrm"))) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rate", "5"), "--rate"),
        (("--rate", "100000", "--seconds", "5"), "--seconds 5: 100000 messages/s make 500,000"),
    ],
)
def test_runs_that_cannot_be_measured_are_refused(arguments: tuple[str], words: str) -> None:
    done = tickwire("bench", "latency", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line


def test_tables_fit_a_terminal_of_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    run = {
        "messages": 1,
        "messages_per_second": 5_105_123.0,
        "cpu_ns_per_message": 12_345.0,
        "rows": 1,
        "checked": True,
        "faults": [],
    }
    names = (*TICKWIRE, *BASELINES)
    bench._print_table(
        [
            Result("trades/ws", name, [run, run | {"cpu_ns_per_message": 999_999.0}])
            for name in names
        ]
    )
    percentiles = {"p50": 123.4, "p99": 9999.9, "p999": 1_234_567.8, "max": 12_345_678.9}

    class Measured:
        pipeline, rate, verdict = TO_COMMIT, 100_000.0, "right"

        def to_dict(self):
            return {"latency_us": percentiles, "sender_late_us": percentiles}

    bench._print_latencies([Measured()])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for name in names:
        # Every row is one line, with all of its figures.
        (line,) = (line for line in lines if line.strip().startswith(name))
        assert "5,105 ±0%" in line
        assert "506,172 ±98%" in line
        assert "100%" in line
        assert line.rstrip().endswith(("right", "WRONG", "none"))
    assert "sent_to_commit 100,000 123.4 9,999.9 1.2 s 12.3 s 9,999.9 right" in " ".join(
        text.split()
    )
    assert "…" not in text
