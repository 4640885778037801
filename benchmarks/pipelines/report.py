"""Results to files: JSON for programs, a Markdown table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pipelines.gates import OURS, Verdict, compare

from tickwire.bench import machine
from tickwire.bench.runs import Result

RESULTS = Path(__file__).resolve().parents[1] / "results"
TABLE = RESULTS / "latest.md"


def write(results: Sequence[Result], verdicts: Sequence[Verdict]) -> tuple[Path, Path]:
    """Write both files; gives where."""
    document = {
        "machine": machine.machine(),
        "commit": machine.commit(),
        "build": machine.build(),
        "results": [result.to_dict() for result in results],
        "gates": [
            {
                "case": verdict.gate.case,
                "pipeline": verdict.gate.pipeline,
                "against": verdict.gate.against,
                "at_least": verdict.gate.at_least,
                "ratio": verdict.ratio,
                "spread": (verdict.lowest, verdict.highest),
                "passed": verdict.passed,
            }
            for verdict in verdicts
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{document['commit']}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    TABLE.write_text(_markdown(document, results, verdicts))
    return path, TABLE


def _markdown(
    document: dict[str, Any],
    results: Sequence[Result],
    verdicts: Sequence[Verdict],
) -> str:
    about = document["machine"]
    lines = [
        "# Whole pipelines",
        "",
        f"Commit {document['commit']}, build {document['build']}, {about['cpu']}, "
        f"{about['cpus']} CPUs, load average {about['load_average'][0]:.1f} at the end, "
        f"{about['system']}, Python {about['python']}, "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        + ".",
        "",
        "Written by `make bench` or `make bench-quick`; `benchmarks/README.md` says how to read "
        "it.",
    ]
    for case in dict.fromkeys(result.case for result in results):
        lines += ["", *_case_table([result for result in results if result.case == case])]
    if verdicts:
        lines += ["", *(f"- {verdict}" for verdict in verdicts)]
    return "\n".join(lines) + "\n"


def _case_table(results: Sequence[Result]) -> list[str]:
    ours = next((result for result in results if result.pipeline == OURS), None)
    lines = [
        f"## {results[0].case}",
        "",
        f"Medians of {len(results[0].runs)} interleaved runs, smallest..largest in brackets. "
        f"`ratio` is CPU per message over that of {OURS}.",
        "",
        "| pipeline | messages/s | CPU ns per message | ratio | answer |",
        "|---|---:|---:|---:|---|",
    ]
    for result in results:
        ratio = "" if ours is None else _inverse(result, ours)
        lines.append(
            f"| {result.pipeline} | {result.told('messages_per_second')} "
            f"| {result.told('cpu_ns_per_message')} | {ratio} | {result.verdict} |"
        )
    return lines


def _inverse(result: Result, ours: Result) -> str:
    ratio, lowest, highest = compare(ours, result)
    return f"{ratio:.2f} ({lowest:.2f}..{highest:.2f})"
