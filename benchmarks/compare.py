"""Two commits' figures side by side, with the noise beside them: `make bench-compare`.

Rules of this file
------------------
- Nothing is measured here. What `make bench` and `make instructions` wrote for a commit is gathered
  to a few numbers per figure; those of a commit without changes can be kept in git, in
  `results/kept/`.
- A difference counts where the runs of the two commits do not overlap. Where a figure has no
  spread, as module benchmarks have none over runs, only the change is reported.
- Other clients and baselines are compared too: what they differ by is the machine's doing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tickwire.bench import machine

RESULTS = Path(__file__).resolve().parent / "results"
EXACT_PERCENT = 0.2  # of instructions: less is the way that numbers happen to be laid out
THROUGHPUT = (("cpu_ns_per_message", "CPU ns/message"), ("messages_per_second", "messages/s"))
LATENCIES = ("p50", "p99")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a commit.

    Parameters
    ----------
    value
        The median of its runs.
    low, high
        The smallest and the largest run; None where there is no such thing, or one run.
    is_rate
        More is better.
    is_tickwire
        tickwire's; otherwise it tells about the machine.
    """

    value: float
    low: float | None = None
    high: float | None = None
    is_rate: bool = False
    is_tickwire: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a commit.

    Parameters
    ----------
    commit
        Which.
    measured
        When, UTC.
    cpu
        On what.
    figures
        By name.
    """

    commit: str
    measured: str
    cpu: str
    figures: dict[str, Figure]

    def save(self, folder: Path = RESULTS) -> Path:
        """Write it where git keeps it."""
        path = folder / "kept" / f"{self.commit}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Kept:
        """Read it."""
        fields = json.loads(path.read_text())
        figures = {name: Figure(**one) for name, one in fields["figures"].items()}
        return cls(**fields | {"figures": figures})


def gather(commit: str, folder: Path = RESULTS) -> Kept | None:
    """Gather what was written for a commit; None where nothing was."""
    figures: dict[str, Figure] = {}
    cpu, measured_s = "", 0.0
    whole, quick = folder / f"{commit}.json", folder / f"{commit}.quick.json"
    for path, read in (
        (whole if whole.exists() else quick, _throughput),
        (folder / "latency" / commit / "results.json", _latency),
        (folder / f"{commit}.modules.json", _modules),
        (folder / f"{commit}.instructions.json", _instructions),
    ):
        if path.exists():
            document = json.loads(path.read_text())
            figures |= dict(read(document))
            cpu, measured_s = document["machine"]["cpu"], max(measured_s, path.stat().st_mtime)
    if not figures:
        return None
    measured = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(measured_s))
    return Kept(commit, measured, cpu, figures)


def _throughput(document: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    for result in document["results"]:
        name, is_tickwire = result["pipeline"], result["pipeline"].startswith("tickwire")
        if any(run.get("faults") for run in result["runs"]):
            continue
        for key, unit in THROUGHPUT:
            if result.get(key) is not None:
                low, high = _runs_spread(result, result["spread"][key])
                is_rate = key == "messages_per_second"
                figure = Figure(result[key], low, high, is_rate, is_tickwire)
                yield f"{result['case']}: {name}: {unit}", figure
        if "peak_rss_bytes" in result:
            peaks = [run["peak_rss_bytes"] / 1e6 for run in result["runs"]]
            figure = Figure(result["peak_rss_bytes"] / 1e6, min(peaks), max(peaks))
            yield f"{result['case']}, {result['messages']:,} messages: peak MB", figure


def _runs_spread(
    result: dict[str, Any], spread: tuple[float, float]
) -> tuple[float | None, float | None]:
    """Give the spread, where there are runs to have one."""
    return (spread[0], spread[1]) if len(result["runs"]) > 1 else (None, None)


def _latency(document: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    for result in document["results"]:
        for percentile in LATENCIES:
            low, high = _runs_spread(result, result["spread_us"][percentile])
            figure = Figure(
                result["latency_us"][percentile],
                low,
                high,
                is_tickwire=result["pipeline"].startswith("tickwire"),
            )
            yield f"{result['case']}: {result['pipeline']}: {percentile} us", figure


def _modules(document: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    for name, about in document["modules"].items():
        yield f"{name}: ns/message", Figure(about["ns_per_message"]["p50"])


def _instructions(document: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    for name, count in document["instructions"].items():
        yield f"{name}: instructions/message", Figure(count, count, count)


def last_kept(other_than: str, folder: Path = RESULTS) -> Kept | None:
    """Give the kept results that were measured last, of another commit."""
    kept = [Kept.load(path) for path in (folder / "kept").glob("*.json")]
    others = [one for one in kept if one.commit != other_than]
    return max(others, key=lambda one: one.measured, default=None)


def find(commit: str, folder: Path = RESULTS) -> Kept | None:
    """Find a commit's results by the beginning of its name: kept ones, or those written here."""
    for path in sorted((folder / "kept").glob(f"{commit}*.json")):
        return Kept.load(path)
    for path in sorted(folder.glob(f"{commit}*.json")):
        return gather(path.name.partition(".")[0], folder)
    return None


def verdict(base: Figure, here: Figure) -> str:
    """Say whether a figure is better, worse, or cannot be distinguished."""
    if base.low is None or base.high is None or here.low is None or here.high is None:
        return ""
    change = abs(here.value / base.value - 1) if base.value else 0.0
    if base.low == base.high and here.low == here.high and change * 100 < EXACT_PERCENT:
        return "same"
    if here.high < base.low:
        return "worse" if here.is_rate else "better"
    if here.low > base.high:
        return "better" if here.is_rate else "worse"
    return "within the noise"


def table(base: Kept, here: Kept) -> list[str]:
    """Lay out what both have."""
    names = [name for name in here.figures if name in base.figures]
    width = max(map(len, names), default=0)
    lines = [
        f"{base.commit}, {base.measured}, {base.cpu}",
        f"{here.commit}, {here.measured}, {here.cpu}",
        "" if base.cpu == here.cpu else "Another processor: only instructions can be compared.",
        "",
        f"{'':<{width}}{'base':>14}{'noise':>8}{'here':>14}{'noise':>8}{'change':>9}",
    ]
    for name in names:
        before, now = base.figures[name], here.figures[name]
        change = f"{now.value / before.value - 1:+.1%}" if before.value else ""
        lines.append(
            f"{name:<{width}}{before.value:>14,.1f}{_noise(before):>8}"
            f"{now.value:>14,.1f}{_noise(now):>8}{change:>9}  {verdict(before, now)}".rstrip()
        )
    drifts = [
        here.figures[name].value / base.figures[name].value - 1
        for name in names
        if name.endswith("CPU ns/message") and not here.figures[name].is_tickwire
    ]
    if drifts:
        drift = statistics.median(drifts)
        lines += ["", f"The other clients' CPU per message changed by {drift:+.1%}."]
    return lines


def _noise(figure: Figure) -> str:
    """Give half of the spread over the runs, as a share of the median."""
    if figure.low is None or figure.high is None:
        return ""
    return f"±{(figure.high - figure.low) / 2 / figure.value:.1%}" if figure.value else ""


def main(arguments: list[str] | None = None, folder: Path = RESULTS) -> int:
    """Compare, or keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("base", nargs="?", help="a commit; default: the one kept last")
    parser.add_argument("--keep", action="store_true", help="keep this commit's results in git")
    options = parser.parse_args(arguments)
    commit = machine.commit()
    here = gather(commit, folder)
    if here is None:
        print(f"nothing was measured of {commit}: make bench", file=sys.stderr)
        return 2
    if options.keep:
        if commit.endswith("-dirty"):
            print(f"not kept: the tree differs from {commit.removesuffix('-dirty')}")
        else:
            print(f"kept: {here.save(folder)}")
        return 0
    base = find(options.base, folder) if options.base else last_kept(commit, folder)
    if base is None:
        what = f"no results of {options.base}" if options.base else "no results are kept"
        print(f"{what} in {folder}", file=sys.stderr)
        return 2
    print("\n".join(table(base, here)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
