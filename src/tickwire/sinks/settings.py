"""What a sink is told; the configuration's `[[sink]]` table, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """One `[[sink]]`.

    Parameters
    ----------
    type
        duckdb, parquet or ipc.
    path
        The DuckDB file, or the folder of the dataset or of the streams.
    name
        Unique among a feed's sinks; its type when left out.
    tables
        The tables it takes; None: all.
    flush_ms
        duckdb, ipc: a commit starts at least this often while there are rows.
    checkpoint_mb
        duckdb: MiB of write-ahead log past which the sink checkpoints though the feed is busy.
    rotate_s, rotate_rows
        parquet: a file is closed and appears after this time or this many rows.
    """

    type: str
    path: Path
    name: str = ""
    tables: tuple[str, ...] | None = None
    flush_ms: int = 50
    checkpoint_mb: int = 1024
    rotate_s: float = 60
    rotate_rows: int = 1_000_000

    @property
    def label(self) -> str:
        """The sink's name."""
        return self.name or self.type
