"""What a run came to, in some lines for the terminal that it ran in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tickwire.cli.terminal import TERMINAL
from tickwire.redaction import shown

if TYPE_CHECKING:
    from tickwire.feed import FeedHandler

SHOWN_REFUSALS = 10


def closing_report(feed: FeedHandler) -> None:
    """Write the report to standard error, if that is a terminal.

    Parameters
    ----------
    feed
        Stopped.
    """
    pipeline = feed.pipeline
    if pipeline is None or not feed.has_run or not TERMINAL.isatty():
        return
    gaps = pipeline.registry.by("gaps", "table", "reason")
    n_open = pipeline.registry.by("gaps_open", "table", "reason")
    targets = {sink.name: sink.target for sink in feed.config.sinks}
    lines = report_lines(feed.summary(), gaps, n_open, targets)
    TERMINAL.write("\n".join(lines) + "\n")
    TERMINAL.flush()


def report_lines(
    summary: Mapping[str, Any],
    gaps: Mapping[str, Mapping[str, float]],
    gaps_open: Mapping[str, Mapping[str, float]],
    targets: Mapping[str, str],
) -> list[str]:
    """Put a summary in lines.

    Parameters
    ----------
    summary
        The run's.
    gaps, gaps_open
        How many, by table and reason; and those that have not ended.
    targets
        Where each sink writes, by name.
    """
    seconds, messages = summary["seconds"], summary["messages"]
    rate = messages / seconds if seconds else 0.0
    lines = [
        f"{summary['feed']}: {elapsed(seconds)}, {messages:,.0f} messages ({rate:,.0f}/s), "
        f"{summary['connects']:,.0f} connects, {summary['reconnects']:,.0f} of them reconnects"
    ]
    committed = summary["rows_committed"]
    sinks = [name for name in targets if name in committed]
    found = [
        [table, f"{n:,.0f}", *(f"{committed[sink].get(table, 0):,.0f}" for sink in sinks)]
        for table, n in summary["rows"].items()
        if n
    ]
    lines += _table(["table", "rows", *sinks], found) if found else ["  no rows"]
    lines += [f"  gaps of {line}" for line in _gaps(gaps, gaps_open)] or ["  no gaps"]
    dropped = summary["dropped_rows"]
    if dropped:
        lines.append(f"  {dropped:,.0f} rows were overwritten unread")
    lines += [f"  never connected: {shown(text)}" for text in summary.get("never_connected", [])]
    refusals = summary.get("refusals", [])
    lines += [f"  refused: {shown(text)}" for text in refusals[:SHOWN_REFUSALS]]
    if len(refusals) > SHOWN_REFUSALS:
        lines.append(f"  refused: {len(refusals) - SHOWN_REFUSALS:,} more")
    return lines + [f"  {name}: {shown(target)}" for name, target in targets.items()]


def elapsed(seconds: float) -> str:
    """Put a time as people read it: `4.2 s`, `5 min 3 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left_s} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def _gaps(
    gaps: Mapping[str, Mapping[str, float]], gaps_open: Mapping[str, Mapping[str, float]]
) -> list[str]:
    lines = []
    for table, reasons in gaps.items():
        parts = []
        for reason, n in reasons.items():
            n_open = gaps_open.get(table, {}).get(reason, 0)
            parts += [f"{n:,.0f} {reason}" + (f" ({n_open:,.0f} open)" if n_open else "")] * bool(n)
        if parts:
            lines.append(f"{table}: {', '.join(parts)}")
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in (head, *rows)
    ]
