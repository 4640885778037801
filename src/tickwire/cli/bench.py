"""`tickwire bench`: measure tickwire on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tickwire.cli.driving import check_writable
from tickwire.cli.terminal import STDERR
from tickwire.errors import ConfigError, TickwireError

if TYPE_CHECKING:
    from tickwire.bench import Case, Result
    from tickwire.bench.outcomes import StageResult

bench = typer.Typer(
    name="bench",
    help="Measure tickwire on this machine, over loopback, every answer checked.",
    no_args_is_help=False,
)

TABLE_WIDTH = 80  # as every terminal has

JsonFile = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the results; - is standard output."),
]


@bench.command()
def throughput(
    json_file: JsonFile = None,
    case: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    runs: Annotated[int | None, typer.Option(min=1, help="Of each pipeline, in turn.")] = None,
    messages: Annotated[
        int | None,
        typer.Option(min=20_000, help="That each run measures."),
    ] = None,
) -> None:
    """Measure messages per second and CPU per message, as fast as a sender can send.

    tickwire with each of its carriers, ending in Arrow record batches; beside it picows with an
    empty callback and recv alone, which decode nothing.
    """
    from tickwire.bench.throughput import DEFAULT_RUNS, measure_throughput, usual_cases

    chosen = [_case(name, messages) for name in case or usual_cases()]
    check_writable("--json", json_file)
    results = measure_throughput(chosen, runs or DEFAULT_RUNS, tell=tell)
    if json_file != "-":
        _print_table(results)
    write(json_file, [result.to_dict() for result in results])
    fail_where_wrong([fault for result in results for fault in result.faults])


@bench.command()
def latency(
    json_file: JsonFile = None,
    rate: Annotated[
        list[float] | None,
        typer.Option(min=100.0, max=240_000.0, help="Messages per second; may be repeated."),
    ] = None,
    runs: Annotated[int | None, typer.Option(min=1, help="Of each pipeline, in turn.")] = None,
    seconds: Annotated[float, typer.Option(min=0.01, max=60.0, help="Of each run.")] = 1.0,
    commit_seconds: Annotated[
        float, typer.Option(min=0.0, help="Of the run into DuckDB at each rate; 0: none.")
    ] = 10.0,
    histograms: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write HdrHistogram's percentile files.")
    ] = None,
) -> None:
    """Measure latency from the time a trade was due at the sender, which keeps a fixed schedule.

    To the ring (sent_to_ring), to an `async for` (sent_to_batch) and to a commit in DuckDB
    (sent_to_commit); beside it a bare recv that only takes the time: the machine's own latency.
    """
    from tickwire.bench.latency import DEFAULT_RATES, DEFAULT_RUNS, measure_latency
    from tickwire.bench.latency import write_histograms as write_files

    rates = rate or list(DEFAULT_RATES)
    check_stretches(rates, seconds)
    check_writable("--json", json_file)
    results = measure_latency(
        rates, runs or DEFAULT_RUNS, run_s=seconds, commit_s=commit_seconds, tell=tell
    )
    if histograms is not None:
        try:
            for path in write_files(results, histograms):
                tell(f"wrote {path}")
        except OSError as error:
            raise TickwireError(f"cannot write {histograms}: {error.strerror or error}") from None
    if json_file != "-":
        _print_latencies(results)
    write(json_file, [result.to_dict() for result in results])
    fail_where_wrong([fault for result in results for fault in result.faults])


def check_stretches(rates: Iterable[float], seconds: float) -> None:
    """Refuse runs whose rows do not fit into a ring, where they are compared afterwards."""
    from tickwire.bench.stages import MAX_MESSAGES

    for rate in rates:
        if not 1 <= round(rate * seconds) <= MAX_MESSAGES:
            raise ConfigError(
                [
                    f"--seconds {seconds:g}: {rate:g} messages/s make {rate * seconds:,.0f} "
                    f"messages; a run has 1 to {MAX_MESSAGES:,}"
                ]
            )


def tell(line: str) -> None:
    """Show what was done: on standard error, which is for people."""
    print(line, file=STDERR)


def write(json_file: str | None, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write the results where `--json` says."""
    import json

    from tickwire.bench import results

    if json_file is None:
        return
    written = results.document(entries)
    if json_file == "-":
        print(json.dumps(written, indent=1))
        return
    results.write(Path(json_file), written)


def fail_where_wrong(faults: list[str]) -> None:
    """End with exit code 1 where an answer was wrong."""
    if faults:
        raise TickwireError("an answer was wrong: " + "; ".join(dict.fromkeys(faults)))


def _case(name: str, n_messages: int | None) -> Case:
    from tickwire.bench.cases import CASES

    if name not in CASES:
        raise ConfigError([f"--case {name}: should be one of {', '.join(CASES)}"])
    return CASES[name] if n_messages is None else CASES[name].of_messages(n_messages)


def _print_table(results: list[Result]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tickwire.bench.jobs import RECV

    console = Console(width=min(Console().width, TABLE_WIDTH))
    for case in dict.fromkeys(result.case for result in results):
        title = f"{case}: medians, and how far off the farthest run is"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("pipeline", no_wrap=True)
        for heading in ("1000 messages/s", "CPU ns/message", "of recv"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("answer", no_wrap=True)
        same = {result.pipeline: result for result in results if result.case == case}
        for name, result in same.items():
            rate = "messages_per_second"
            share = result.median(rate) / same[RECV].median(rate)
            table.add_row(
                escape(name),
                _with_spread(result, rate, per=1000),
                _with_spread(result, "cpu_ns_per_message"),
                f"{share:.0%}",
                result.verdict,
            )
        console.print(table)


def _with_spread(result: Result, figure: str, per: float = 1.0) -> str:
    median = result.median(figure)
    farthest = max(abs(end - median) for end in result.spread(figure))
    return f"{median / per:,.0f} ±{farthest / median:.0%}"


def _print_latencies(results: list[StageResult]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title="Latency in us from when each message was due, all runs together.\n"
        "sent_to_recv is a bare recv that only takes the time: the machine's own latency.\n"
        "late p99: how late the sender was.",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("stage", no_wrap=True)
    for heading in ("msgs/s", "p50", "p99", "p99.9", "max", "late p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    for result in results:
        entry = result.to_dict()
        figures = [entry["latency_us"][name] for name in ("p50", "p99", "p999", "max")]
        table.add_row(
            result.pipeline.stage,
            f"{result.rate:,.0f}",
            *map(_short, figures),
            _short(entry["sender_late_us"]["p99"]),
            result.verdict,
        )
    Console(width=min(Console().width, TABLE_WIDTH)).print(table)


def _short(figure_us: float) -> str:
    """Write a figure with as many digits as it needs; what takes seconds, in seconds."""
    if figure_us >= 1e6:
        return f"{figure_us / 1e6:,.1f} s"
    return f"{figure_us:,.1f}" if figure_us < 10_000 else f"{figure_us:,.0f}"
