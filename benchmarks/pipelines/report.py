"""Results to files: JSON for programs, a Markdown table and a picture for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from benchmarks.paced.report import found_before
from benchmarks.pipelines.gates import CPU, RATE, TICKWIRE, Verdict, compare
from benchmarks.pipelines.memory import MemoryResult
from benchmarks.pipelines.plots import draw

from tickwire.bench import results as documents
from tickwire.bench.runs import Result

RESULTS = Path(__file__).resolve().parents[1] / "results"


def write(
    results: Sequence[Result],
    memory: Sequence[MemoryResult],
    verdicts: Sequence[Verdict],
    folder: Path = RESULTS,
    *,
    kind: Literal["", "quick", "part"] = "",
) -> list[Path]:
    """Write everything; gives the files.

    Parameters
    ----------
    results, memory, verdicts
        What was found.
    folder
        Where to.
    kind
        A `quick` session or a `part` of one has a JSON file of its own, so that neither takes the
        place of a whole one; a part has no table and no picture.
    """
    entries = [result.to_dict() for result in (*results, *memory)]
    document = documents.document(entries)
    document["gates"] = [
        {
            "what": verdict.what,
            "value": verdict.value,
            "spread": (verdict.lowest, verdict.highest),
            "at_least": verdict.at_least,
            "at_most": verdict.at_most,
            "runs": verdict.n_runs,
            "passed": verdict.passed,
            "kind": verdict.kind,
        }
        for verdict in verdicts
    ]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{document['commit']}{'.' * bool(kind)}{kind}.json"]
    documents.write(paths[0], document)
    if kind != "part":
        paths += [folder / "throughput.svg", folder / "latest.md"]
        draw(results, paths[1])
        modules = _modules(folder / f"{document['commit']}.modules.json")
        at_a_pace = found_before(folder, document["commit"])
        paths[2].write_text(_markdown(document, results, verdicts, modules, at_a_pace))
    return paths


def _modules(path: Path) -> dict[str, str]:
    """Give what the gates of single modules found, where this commit's were measured."""
    if not path.exists():
        return {}
    modules = json.loads(path.read_text())["modules"]
    return {
        name: about["verdict"]
        for name, about in modules.items()
        if about["kind"] == "gate" and "verdict" in about
    }


def _markdown(
    document: dict[str, Any],
    results: Sequence[Result],
    verdicts: Sequence[Verdict],
    modules: dict[str, str],
    at_a_pace: Sequence[str] = (),
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
        *at_a_pace,
        "",
        "## At saturation",
        "",
        "![messages per second and CPU per message](throughput.svg)",
    ]
    if verdicts:
        lines += ["", *_gate_table(verdicts)]
    if modules:
        lines += ["", "Of single modules:", ""]
        lines += [f"- {name}: {verdict}" for name, verdict in modules.items()]
    for case in dict.fromkeys(result.case for result in results):
        lines += ["", *_case_table([result for result in results if result.case == case])]
    return "\n".join(lines) + "\n"


def _gate_table(verdicts: Sequence[Verdict]) -> list[str]:
    lines = [
        "## Gates",
        "",
        "Ratios of medians of CPU per message, unless said otherwise; in brackets the smallest and "
        "the largest ratio of two runs of the same round.",
        "",
        "| what | found | must be | runs | |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {verdict.what} | {verdict.value:.2f} ({verdict.lowest:.2f}..{verdict.highest:.2f}) "
        f"| {verdict.bound} | {verdict.n_runs} | {verdict.word} |"
        for verdict in verdicts
    ]
    return lines


def _case_table(results: Sequence[Result]) -> list[str]:
    own = next((result for result in results if result.pipeline == TICKWIRE), None)
    lines = [
        f"## {results[0].case}",
        "",
        f"Medians of interleaved runs, smallest..largest in brackets. `ratio` is CPU per message "
        f"over that of {TICKWIRE}; `waited` the share of the time in which the sender waited for "
        "the receiver.",
        "",
        "| pipeline | runs | messages/s | CPU ns per message | ratio | waited | answer |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for result in results:
        ratio = "" if own is None else _ratio(result, own)
        lines.append(
            f"| {result.pipeline} | {len(result.runs)} | {result.told(RATE)} | {result.told(CPU)} "
            f"| {ratio} | {result.median('sender_waited'):.0%} | {result.verdict} |"
        )
    return lines


def _ratio(result: Result, own: Result) -> str:
    ratio, lowest, highest = compare(result, own)
    return f"{ratio:.2f} ({lowest:.2f}..{highest:.2f})"
