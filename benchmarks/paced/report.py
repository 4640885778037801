"""Results of paced messages: JSON for programs, tables for people.

The tables of a commit also stand first among its results of whole pipelines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.pipelines.gates import Verdict

from tickwire.bench import results as documents
from tickwire.bench.outcomes import StageResult

RESULTS = Path(__file__).resolve().parents[1] / "results"
CPU = "cpu_ns_per_message"


def write(
    results: Sequence[StageResult], verdicts: Sequence[Verdict], folder: Path = RESULTS
) -> list[Path]:
    """Write everything; gives the files."""
    entries = []
    for result in results:
        cpu_ns = [run[CPU] for run in result.runs]
        entries.append(
            result.to_dict()
            | {"spread_cpu_ns": (min(cpu_ns), max(cpu_ns)), "answer": result.verdict}
        )
    document = documents.document(entries)
    document["gates"] = [
        asdict(verdict) | {"passed": verdict.passed, "bound": verdict.bound, "word": verdict.word}
        for verdict in verdicts
    ]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{document['commit']}.paced.json", folder / "paced.md"]
    documents.write(paths[0], document)
    about = document["machine"]
    head = [
        "# At a pace",
        "",
        f"Commit {document['commit']}, build {document['build']}, {about['cpu']}, "
        f"{about['cpus']} CPUs, load average {about['load_average'][0]:.1f} at the end, "
        f"{about['system']}, Python {about['python']}, "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        + ".",
        "",
        "Written by `make bench-paced` or `make bench`; `benchmarks/README.md` says how to read "
        "it.",
    ]
    paths[1].write_text("\n".join([*head, *tables(document)]) + "\n")
    return paths


def found_before(folder: Path, commit: str) -> list[str]:
    """Give the tables of a commit, where it was measured."""
    path = folder / f"{commit}.paced.json"
    return ["", "## At a pace", *tables(json.loads(path.read_text()))] if path.exists() else []


def tables(document: Mapping[str, Any]) -> list[str]:
    """Give the lines of the gates and of each rate."""
    lines = [
        "",
        "One trade per write, evenly spaced; CPU of the whole receiving process, in us per "
        "message: medians of runs that took turns, with the smallest and the largest.",
    ]
    if document["gates"]:
        lines += ["", "| what | found | must be | runs | |", "|---|---:|---:|---:|---|"]
        lines += [
            f"| {gate['what']} | {gate['value']:.2f} ({gate['lowest']:.2f}..{gate['highest']:.2f}) "
            f"| {gate['bound']} | {gate['n_runs']} | {gate['word']} |"
            for gate in document["gates"]
        ]
    entries = document["results"]
    for what in dict.fromkeys(map(_what, entries)):
        rate = next(entry["offered_rate"] for entry in entries if _what(entry) == what)
        lines += [
            "",
            f"{rate:,.0f} messages/s:"
            if _is_even(what)
            else f"{what}, {rate:,.0f} messages/s on average, latency alone:",
            "",
            "| pipeline | runs | CPU us/message | until | p50 us | p99 us | answer |",
            "|---|---:|---:|---|---:|---:|---|",
        ]
        for entry in entries:
            if _what(entry) == what:
                lowest, highest = (ns / 1e3 for ns in entry["spread_cpu_ns"])
                cpu = f"{entry[CPU] / 1e3:,.1f} ({lowest:,.1f}..{highest:,.1f})"
                latency = entry["latency_us"]
                lines.append(
                    f"| {entry['pipeline']} | {len(entry['runs'])} "
                    f"| {cpu if _is_even(what) else '-'} "
                    f"| {entry['stage']} | {latency['p50']:,.1f} | {latency['p99']:,.1f} "
                    f"| {entry['answer']} |"
                )
    return lines


def _what(entry: Mapping[str, Any]) -> str:
    """Give what was sent."""
    return str(entry["case"]).rpartition(", ")[0]


def _is_even(what: str) -> bool:
    """Whether it was evenly spaced trades; of a capture the CPU has the start in it."""
    return what.startswith("trades")
