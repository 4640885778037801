"""The summary has the keys that other programs rely on."""

import subprocess
import sys

from tickwire.config import Config, Feed, Source
from tickwire.feed.pipeline import GAP_ID, Pipeline
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.summary import Usage, status_of, summarise
from tickwire.observe import METRICS

KEYS = {
    "version": str,
    "feed": str,
    "seconds": float,
    "cpu_seconds": float,
    "peak_rss_bytes": int,
    "messages": int,
    "bytes": int,
    "rows": dict,
    "rows_committed": dict,
    "unknown_messages": int,
    "unrequested_messages": int,
    "decode_errors": dict,
    "protocol_errors": int,
    "connects": int,
    "reconnects": int,
    "gaps": int,
    "dropped_rows": int,
    "latency_us": dict,
}


def pipeline() -> Pipeline:
    source = Source(venue="hyperliquid", channels=["mids"], symbols=["*"])
    plan = plan_feed(Config(Feed(ring_rows=16_384), (source,)))
    return Pipeline(plan, dict.fromkeys((*plan.tables, GAP_ID), 0))


def test_every_key_is_there_with_its_type() -> None:
    summary = summarise("main", pipeline().registry, Usage())
    for key, kind in KEYS.items():
        assert type(summary[key]) is kind, key
    assert set(summary["latency_us"]) == {"read_to_ring", "read_to_batch", "read_to_commit"}
    for latency in summary["latency_us"].values():
        assert latency == {"p50": None, "p99": None, "p999": None, "max": None, "count": 0}
    assert summary["peak_rss_bytes"] > 1 << 20
    assert set(summary["rows"]) == {"mids", "gaps", "sessions", "quarantine"}


def test_every_declared_key_is_there_and_no_figure_is_collected_apart() -> None:
    summary = summarise("main", pipeline().registry, Usage())
    declared = {metric.summary for metric in METRICS if metric.summary}
    apart = {"version", "feed", "seconds", "cpu_seconds", "peak_rss_bytes"}
    assert summary.keys() == declared | apart | {"sink_stalls", "latency_us", "rows_left", "legs"}
    for old in (
        "warnings_untold",
        "quarantine_unkept",
        "quarantine_cut",
        "unwritten_gaps_and_sessions",
    ):
        assert old not in summary
    assert summary["decode_errors"] == {}


def test_it_counts_what_the_pipeline_has_seen() -> None:
    made = pipeline()
    [source] = made.sources
    connection = source.decoder.connection(0)
    for payload in (
        b'{"channel":"allMids","data":{"mids":{"BTC":"1.5","ETH":"2"}}}',
        b'{"channel":"trades","data":[]}',
        b'{"channel":"nothing known","data":[]}',
        b"no json",
    ):
        assert connection.decode(payload, 1)
    summary = summarise("main", made.registry, Usage())
    assert summary["rows"]["mids"] == 2
    assert summary["unknown_messages"] == summary["unrequested_messages"] == 1
    assert sum(summary["decode_errors"].values()) == 1
    status = status_of(made.registry)
    assert status.messages == summary["messages"]
    assert status.rows == 3  # two mids, one in quarantine
    assert status.p99_us is not None


def test_the_clock_stands_still_once_it_is_stopped() -> None:
    usage = Usage()
    usage.stop()
    assert usage.to_dict()["seconds"] == usage.to_dict()["seconds"]


def test_the_memory_of_who_started_it_is_not_counted() -> None:
    def peak_of_a_program() -> int:
        program = "from tickwire.feed.summary import peak_rss_bytes; print(peak_rss_bytes())"
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    alone = peak_of_a_program()
    ballast = b"x" * (alone + 200_000_000)
    assert alone > 1 << 20
    assert peak_of_a_program() < len(ballast)
