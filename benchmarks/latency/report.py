"""Results to files: JSON for programs, HdrHistogram's files, a Markdown table and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency.gates import Verdict
from benchmarks.latency.plots import draw

from tickwire.bench import results as documents
from tickwire.bench.latency import write_histograms
from tickwire.bench.outcomes import StageResult, file_words
from tickwire.bench.stages import READ_CPU

RESULTS = Path(__file__).resolve().parents[1] / "results"
FIGURES = ("p50", "p99", "p999", "max")


def write(
    results: Sequence[StageResult], verdicts: Sequence[Verdict], folder: Path = RESULTS
) -> list[Path]:
    """Write everything; gives the files, without the histograms.

    `latency/<commit>/` gets the JSON and the histograms; `latency.md` and the pictures are those of
    the last run.
    """
    entries = [result.to_dict() for result in results]
    document = documents.document(entries)
    document["gates"] = [
        {
            "what": verdict.what,
            "value": verdict.value,
            "limit": verdict.limit,
            "spread": (verdict.lowest, verdict.highest),
            "passed": verdict.passed,
        }
        for verdict in verdicts
    ]
    own = folder / "latency" / document["commit"]
    drawn = [result for result in results if result.pipeline is not READ_CPU]
    write_histograms(drawn, own)
    paths = [own / "results.json"]
    documents.write(paths[0], document)
    for what in dict.fromkeys(result.what for result in drawn):
        paths.append(folder / picture_of(what))
        draw([result for result in drawn if result.what == what], paths[-1])
    paths.append(folder / "latency.md")
    paths[-1].write_text(_markdown(document, results, verdicts))
    return paths


def picture_of(what: str) -> str:
    """Name the file of the curves of a load."""
    return f"latency-{file_words(what)}.svg"


def _markdown(
    document: dict[str, Any], results: Sequence[StageResult], verdicts: Sequence[Verdict]
) -> str:
    about = document["machine"]
    lines = [
        "# Latency",
        "",
        f"Commit {document['commit']}, build {document['build']}, {about['cpu']}, "
        f"{about['cpus']} CPUs, load average {about['load_average'][0]:.1f} at the end, "
        f"{about['system']}, Python {about['python']}, "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        + ".",
        "",
        "In us, from the time when each message was due at the sender; all runs together, and in "
        "brackets the smallest and the largest of a run. Written by `make bench`; "
        "`benchmarks/README.md` says how to read it.",
    ]
    drawn = [result for result in results if result.pipeline is not READ_CPU]
    for what in dict.fromkeys(result.what for result in drawn):
        found = [result for result in drawn if result.what == what]
        lines += ["", f"## {what}: {found[0].rate:,.0f} messages/s", "", *_table(found)]
        lines += ["", f"![Percentile curves]({picture_of(what)})"]
    if verdicts:
        lines += ["", "## Gates", "", *(f"- {verdict}" for verdict in verdicts)]
    return "\n".join(lines) + "\n"


def _table(results: Sequence[StageResult]) -> list[str]:
    lines = [
        "| stage | pipeline | runs | p50 | p99 | p99.9 | max | sender late, p99 | CPU ns/message "
        "| answer |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for result in results:
        entry = result.to_dict()
        cells = [result.pipeline.stage, result.pipeline.name, str(len(result.runs))]
        for name in FIGURES:
            lowest, highest = result.spread(name)
            cells.append(f"{entry['latency_us'][name]:,.1f} ({lowest:,.1f}..{highest:,.1f})")
        cells += [
            f"{entry['sender_late_us']['p99']:,.1f}",
            f"{entry['cpu_ns_per_message']:,.0f}",
            result.verdict,
        ]
        lines.append(f"| {' | '.join(cells)} |")
        stalled = entry["stalled_latency_us"]
        if stalled["count"]:
            figures = " | ".join(f"{stalled[name]:,.1f}" for name in FIGURES)
            lines.append(
                f"| {result.pipeline.stage}, in checkpoints | {result.pipeline.name} "
                f"| {stalled['count']:,} rows | {figures} | | | |"
            )
    return lines
