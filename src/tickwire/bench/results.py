"""Results as others read them: the JSON of the interface for programs, section 7."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tickwire.bench import machine

# Every entry has these; what was not measured is null.
KEYS = (
    "case",
    "pipeline",
    "messages",
    "messages_per_second",
    "cpu_ns_per_message",
    "rows",
    "checked",
    "latency_us",
    "offered_rate",
)


def document(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the whole document: where and with what, and an entry per case and pipeline.

    Parameters
    ----------
    entries
        With at least case and pipeline; more keys than the interface has are kept.
    """
    return {
        "machine": machine.machine(),
        "commit": machine.commit(),
        "build": machine.build(),
        "results": [dict.fromkeys(KEYS) | dict(entry) for entry in entries],
    }


def write(path: Path, written: Mapping[str, Any]) -> None:
    """Write a document to a file."""
    path.write_text(json.dumps(written, indent=1) + "\n")
