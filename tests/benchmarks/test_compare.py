"""A commit's figures against another's: what differs, what is noise, and what is missing."""

import json
import os

import pytest
from benchmarks.compare import Figure, find, gather, last_kept, main, table, verdict

MACHINE = {"cpu": "a fast one"}


def write(folder, commit, cpu_ns, *, instructions=500.0, when=1_800_000_000, cpu="a fast one"):
    """Write what a session writes for a commit."""

    def result(pipeline, *ns):
        rates = [1e9 / one for one in ns]
        return {
            "case": "trades/ws",
            "pipeline": pipeline,
            "cpu_ns_per_message": sorted(ns)[1],
            "messages_per_second": sorted(rates)[1],
            "spread": {
                "cpu_ns_per_message": (min(ns), max(ns)),
                "messages_per_second": (min(rates), max(rates)),
            },
            "runs": [{"faults": []}] * 3,
        }

    head = {"machine": {"cpu": cpu}, "commit": commit}
    stage = {
        "case": "trades/ws 10 k/s, sent_to_ring",
        "pipeline": "tickwire[protocol]",
        "latency_us": {"p50": 20.0, "p99": 50.0},
        "spread_us": {"p50": (19.0, 21.0), "p99": (40.0, 90.0)},
        "runs": [{}, {}],
    }
    memory = {
        "case": "trades/ws, memory",
        "pipeline": "tickwire[protocol]",
        "messages": 1000,
        "peak_rss_bytes": 2e6,
        "runs": [{"peak_rss_bytes": 2e6}],
    }
    documents = {
        f"{commit}.json": {
            "results": [
                result("tickwire[protocol]", *cpu_ns),
                result("recv alone", 50, 51, 52),
                memory,
            ]
        },
        f"latency/{commit}/results.json": {"results": [stage]},
        f"{commit}.modules.json": {"modules": {"wire/parser": {"ns_per_message": {"p50": 20.0}}}},
        f"{commit}.instructions.json": {"instructions": {"trade": instructions}},
    }
    for name, document in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(head | document))
        os.utime(path, (when, when))


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr("tickwire.bench.machine.commit", lambda: "bbbb")


@pytest.mark.parametrize(
    ("base", "now", "word"),
    [
        (Figure(10, 9, 11), Figure(8, 7, 8.5), "better"),
        (Figure(10, 9, 11), Figure(8, 7, 9.5), "within the noise"),
        (Figure(10, 9, 11), Figure(12, 11.5, 13), "worse"),
        (Figure(10, 9, 11, is_rate=True), Figure(12, 11.5, 13, is_rate=True), "better"),
        (Figure(10, 9, 11, is_rate=True), Figure(8, 7, 8.5, is_rate=True), "worse"),
        (Figure(500, 500, 500), Figure(500.5, 500.5, 500.5), "same"),
        (Figure(500, 500, 500), Figure(510, 510, 510), "worse"),
        (Figure(10), Figure(20), ""),
    ],
)
def test_a_difference_counts_where_runs_do_not_overlap(base, now, word):
    assert verdict(base, now) == word


def test_everything_of_a_commit_is_gathered(tmp_path):
    write(tmp_path, "aaaa", (100, 110, 120))
    found = gather("aaaa", tmp_path)
    assert found.measured == "2027-01-15 08:00:00"
    assert found.figures["trades/ws: tickwire[protocol]: CPU ns/message"] == Figure(110, 100, 120)
    latency = found.figures["trades/ws 10 k/s, sent_to_ring: tickwire[protocol]: p99 us"]
    assert (latency.low, latency.high) == (40.0, 90.0)
    assert found.figures["wire/parser: ns/message"] == Figure(20.0)
    assert found.figures["trade: instructions/message"].value == 500.0
    assert found.figures["trades/ws, memory, 1,000 messages: peak MB"].value == 2.0
    assert not found.figures["trades/ws: recv alone: CPU ns/message"].is_tickwire
    assert gather("cccc", tmp_path) is None


def test_a_quick_session_counts_where_there_is_no_whole_one(tmp_path):
    write(tmp_path, "aaaa", (100, 110, 120))
    (tmp_path / "aaaa.json").rename(tmp_path / "aaaa.quick.json")
    quick = gather("aaaa", tmp_path)
    assert quick.figures["trades/ws: tickwire[protocol]: CPU ns/message"].value == 110
    write(tmp_path, "aaaa", (200, 210, 220))
    whole = gather("aaaa", tmp_path)
    assert whole.figures["trades/ws: tickwire[protocol]: CPU ns/message"].value == 210


def test_one_run_has_no_spread(tmp_path):
    write(tmp_path, "aaaa", (100, 110, 120))
    path = tmp_path / "aaaa.json"
    document = json.loads(path.read_text())
    for result in document["results"]:
        result["runs"] = result["runs"][:1]
    path.write_text(json.dumps(document))
    figure = gather("aaaa", tmp_path).figures["trades/ws: tickwire[protocol]: CPU ns/message"]
    assert (figure.value, figure.low, figure.high) == (110, None, None)


def test_kept_results_come_back(tmp_path):
    write(tmp_path, "aaaa", (100, 110, 120))
    write(tmp_path, "bbbb", (100, 110, 120), when=1_800_000_100)
    for commit in ("aaaa", "bbbb"):
        gather(commit, tmp_path).save(tmp_path)
    assert last_kept("cccc", tmp_path).commit == "bbbb"
    assert last_kept("bbbb", tmp_path) == gather("aaaa", tmp_path)
    assert find("aa", tmp_path).commit == "aaaa"
    assert find("dd", tmp_path) is None


def test_the_table_has_the_change_and_the_noise(tmp_path, here, capsys):
    write(tmp_path, "aaaa", (200, 210, 220))
    write(tmp_path, "bbbb", (100, 105, 110), instructions=450.0, when=1_800_000_100)
    assert main(["aaaa"], tmp_path) == 0
    lines = {line.partition("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    own = lines["trades/ws: tickwire[protocol]: CPU ns/message"]
    assert own[-6:] == ["210.0", "±4.8%", "105.0", "±4.8%", "-50.0%", "better"]
    rate = lines["trades/ws: tickwire[protocol]: messages/s"]
    assert rate[-2:] == ["+100.0%", "better"]
    assert lines["trade: instructions/message"][-2:] == ["-10.0%", "better"]
    assert lines["wire/parser: ns/message"][-3:] == ["20.0", "20.0", "+0.0%"]
    assert "changed by +0.0%." in " ".join(
        lines["The other clients' CPU per message changed by +0.0%."]
    )


def test_another_processor_is_told(tmp_path):
    write(tmp_path, "aaaa", (200, 210, 220))
    write(tmp_path, "bbbb", (100, 105, 110), cpu="a slow one")
    lines = table(gather("aaaa", tmp_path), gather("bbbb", tmp_path))
    assert "Another processor: only instructions can be compared." in lines


def test_what_is_missing_is_told(tmp_path, here, capsys):
    assert main([], tmp_path) == 2
    assert "nothing was measured of bbbb" in capsys.readouterr().err
    write(tmp_path, "bbbb", (1, 2, 3))
    assert main([], tmp_path) == 2
    assert "no results are kept" in capsys.readouterr().err
    assert main(["ffff"], tmp_path) == 2
    assert "no results of ffff" in capsys.readouterr().err


def test_only_a_clean_commit_is_kept(tmp_path, here, monkeypatch, capsys):
    write(tmp_path, "bbbb", (1, 2, 3))
    assert main(["--keep"], tmp_path) == 0
    assert (tmp_path / "kept" / "bbbb.json").exists()
    write(tmp_path, "bbbb-dirty", (1, 2, 3))
    monkeypatch.setattr("tickwire.bench.machine.commit", lambda: "bbbb-dirty")
    assert main(["--keep"], tmp_path) == 0
    assert "not kept" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["bbbb.json"]
