"""Replays in an output: which captures it has, beside the rows of a feed that ran live.

Rules of this file
------------------
- A replay goes on behind whatever numbers the output holds, of each table.
- An output that has all of a capture is left as it is. What it has of one that was cut short is
  removed and written anew; so is all of it where that is asked for (`again`).
- In a folder a replay's files have the capture's id behind the feed's name, `<feed>+<capture>-...`:
  no feed's name can, as a plus is percent-encoded there. That all of it is there says a file beside
  the folder's lock, which goes before the first file of the replay does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tickwire.sinks.files import path_segment, replace_file, sync_folder


@dataclass(slots=True)
class Replayed:
    """The capture that a feed replays.

    Parameters
    ----------
    capture
        The id of what it holds, in hexadecimal digits.
    name
        For people.
    again
        Write it anew where an output has it.
    is_whole
        All of it was played: set before the sinks are stopped.
    """

    capture: str
    name: str
    again: bool = False
    is_whole: bool = False


class FolderFiles:
    """The files of a feed in an output folder, by their names.

    Parameters
    ----------
    root
        The folder.
    feed
        The feed's name.
    n_parts
        How many parts a file's name has behind its owner's, each after a hyphen.
    """

    def __init__(self, root: Path, feed: str, n_parts: int) -> None:
        self._segment = path_segment(feed)
        self._n_parts = n_parts
        self._marks = root / f".tickwire-{self._segment}" / "replays"
        self._replayed: Replayed | None = None

    @property
    def owner(self) -> str:
        """What this run's files are named by."""
        if self._replayed is None:
            return self._segment
        return f"{self._segment}+{self._replayed.capture}"

    def own(self, paths: Iterable[Path]) -> list[Path]:
        """Give the files of the feed, or of the capture that it replays; the newest first."""
        return self._sorted(path for path in paths if self._owner_of(path) == self.owner)

    def all(self, paths: Iterable[Path]) -> list[Path]:
        """Give the files of the feed, live and replayed, the newest first."""
        return self._sorted(
            path for path in paths if self._owner_of(path).partition("+")[0] == self._segment
        )

    def has_replays(self, paths: Iterable[Path]) -> bool:
        """Whether some of these files are of a replay."""
        return any("+" in self._owner_of(path) for path in self.all(paths))

    def begin(self, replayed: Replayed, paths: Iterable[Path], tables: Iterable[str]) -> bool:
        """Begin a replay: whether the folder has all of it, and is to be left as it is.

        Parameters
        ----------
        replayed
            What is replayed.
        paths
            The folder's files: those that an earlier replay of it has written are removed.
        tables
            Those that the sink takes.

        Raises
        ------
        OSError
            One cannot be removed.
        """
        self._replayed = replayed
        mark = self._mark(replayed)
        if mark.exists():
            if not replayed.again and _tables_in(mark) >= {*tables}:
                return True
            mark.unlink()
            sync_folder(mark.parent)
        removed = self.own(paths)
        for path in removed:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in removed}:
            sync_folder(folder)
        return False

    def end(self, replayed: Replayed, tables: Iterable[str]) -> None:
        """Note that the folder has all of a replay, of the tables that the sink takes.

        Raises
        ------
        OSError
            That cannot be written.
        """
        mark = self._mark(replayed)
        mark.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"capture": replayed.name, "tables": [*tables]}) + "\n"
        replace_file(mark, text.encode())

    def _mark(self, replayed: Replayed) -> Path:
        return self._marks / f"{replayed.capture}.json"

    def _owner_of(self, path: Path) -> str:
        return path.name.rsplit("-", self._n_parts)[0]

    def _sorted(self, paths: Iterable[Path]) -> list[Path]:
        """Sort by start and number: names of replays stand behind all others of the feed."""
        return sorted(
            paths, key=lambda path: path.name.rsplit("-", self._n_parts)[1:], reverse=True
        )


def _tables_in(mark: Path) -> set[str]:
    """Give the tables that have all of a replay; none where the file does not say."""
    try:
        return {str(each) for each in json.loads(mark.read_bytes())["tables"]}
    except (ValueError, LookupError, TypeError):
        return set()
