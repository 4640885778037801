"""Where a feed keeps what is its own: a folder, and in it files by the feed's name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

STATE_DIR = Path(".tickwire")  # of a feed whose configuration gives none


def state_file(state_dir: Path, feed: str, ending: str) -> Path:
    """Give the path of a feed's file; no name leads out of the folder.

    Parameters
    ----------
    state_dir
        The feed's.
    feed
        The feed's name.
    ending
        Which file: `.json` is the state.
    """
    return state_dir / f"{quote(feed, safe='')}{ending}"
