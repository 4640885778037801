"""`tickwire.attach`: finds the rings of a running feed by its name, its configuration or a path."""

from __future__ import annotations

import json
from pathlib import Path

from tickwire.config import STATE_DIR, load_readable, state_file
from tickwire.errors import TickwireError
from tickwire.ring import AttachedRing, earlier_starts


def attach(feed: str | Path, table: str) -> AttachedRing:
    """Read a table of a feed that runs in another process, as rows are published.

    The feed's rings must lie in files (`[feed] ring_dir`). They are mapped read-only; the feed
    never waits for who reads them.

    Parameters
    ----------
    feed
        A feed's name (with its state in ./.tickwire), its configuration, or the folder of its
        rings.
    table
        The table's name.

    Returns
    -------
    AttachedRing
        Begins at the oldest row that the ring holds.

    Raises
    ------
    TickwireError
        No such feed runs, its rings are not in files, or it has no such table.
    """
    return AttachedRing(find_rings(feed), table)


def find_rings(feed: str | Path) -> Path:
    """Give the folder of the ring files of a feed's last start.

    Raises
    ------
    TickwireError
        There is none.
    """
    path = Path(feed)
    if path.is_dir():
        starts = [path, *earlier_starts(path), *sorted(path.glob("*/*/"))]
        found = [each for each in starts if (each / "rings.json").exists()]
        if not found:
            raise TickwireError(f"{path}: holds no rings of a running feed")
        if len({each.parent for each in found}) > 1:
            names = ", ".join(sorted({each.parent.name for each in found}))
            raise TickwireError(f"{path}: holds rings of several feeds: {names}; name one's folder")
        return found[-1]
    if path.suffix == ".toml":
        return _of_state(*_state_of(path))
    return _of_state(STATE_DIR, str(feed))


def _state_of(path: Path) -> tuple[Path, str]:
    config = load_readable(path)
    if config.feed.state_dir is None:
        raise TickwireError(f"{path}: the feed has no state_dir, so its rings are not in files")
    return Path(config.feed.state_dir), config.feed.name


def _of_state(state_dir: Path, name: str) -> Path:
    path = state_file(state_dir, name, ".json")
    try:
        folder = json.loads(path.read_bytes()).get("ring_folder")
    except FileNotFoundError:
        raise TickwireError(f"no feed {name!r} runs with its state in {state_dir}") from None
    except (OSError, ValueError, AttributeError) as error:
        raise TickwireError(f"{path}: the feed's state cannot be read: {error}") from None
    if not folder:
        raise TickwireError(
            f"{name}: it does not run, or its rings are not in files; give it [feed] ring_dir"
        )
    return Path(folder)
