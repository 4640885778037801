"""Where the rows of a feed's sinks wait: `<spill_dir>/<feed>/<sink>/<table>`."""

from __future__ import annotations

from pathlib import Path

from tickwire.config import Config, Feed
from tickwire.logs import get_logger
from tickwire.sinks import Sink
from tickwire.store import Spill, folder_name

_log = get_logger("tickwire.feed")


def spill_folder(feed: Feed) -> Path | None:
    """Give the folder of a feed's spills; None where they are in memory."""
    if feed.spill_dir is not None:
        return Path(feed.spill_dir) / folder_name(feed.name)
    if feed.state_dir is not None:
        return Path(feed.state_dir) / "spill" / folder_name(feed.name)
    return None


def sinks_beside_spill(config: Config) -> list[str]:
    """Give the sinks whose output is on the disk of the spill, by name.

    What makes such a disk fail or fill keeps their rows out of the spill, too.
    """
    folder = spill_folder(config.feed)
    if folder is None:
        return []
    disk = _disk_of(folder)
    return [sink.name for sink in config.sinks if _disk_of(Path(sink.target)) == disk]


def _disk_of(path: Path) -> int:
    """Give the device of a path, or of what it will be made in."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path.stat().st_dev


def spill_of(feed: Feed, sink: Sink) -> Spill:
    """Make the spill of a sink that is open.

    Raises
    ------
    SegmentError
        Its folder cannot be used.
    """
    folder = spill_folder(feed)
    spill = Spill(
        None if folder is None else folder / folder_name(sink.name),
        sink.tables,
        feed.spill_max_bytes,
        sync_s=feed.spill_fsync_s,
    )
    rows = {table: n for table in sink.tables if (n := spill.recovered_rows(table))}
    if rows:
        _log.info("rows of the last run go in first", sink=sink.name, **rows)
    return spill


def warn_of_unclaimed(feed: Feed, sinks: list[Sink]) -> None:
    """Log what waits for a sink or a table that is not configured any more."""
    folder = spill_folder(feed)
    if folder is None or not folder.is_dir():
        return
    claimed = {
        (folder_name(sink.name), folder_name(table)) for sink in sinks for table in sink.tables
    }
    for table in sorted(folder.glob("*/*")):
        if (table.parent.name, table.name) not in claimed and any(table.glob("*.segment")):
            _log.warning("rows wait for a sink that is not configured", folder=str(table))
