"""The files of a feed's rings: where they lie, and how the next process knows them.

Rules of this file
------------------
- Each start of a feed has a folder of its own, `<ring_dir>/<feed>/<number>`, and writes no other.
- A file is allocated whole before it is mapped: a full disk is an error of the start, and never a
  signal (SIGBUS) in the middle of a store.
- `rings.json` names the files and has what a file cannot say of itself: a hash of the layout of
  each ring, and since which start of the machine it was written. It comes last: a folder without it
  has never had a row. Its lock is held as long as the process lives, so that another one knows.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4
from weakref import finalize
from zlib import crc32

from tickwire.errors import TickwireError
from tickwire.failpoints import reach
from tickwire.ring._block import Block
from tickwire.ring._dictionary import Dictionaries
from tickwire.schema import Kind, Table

MANIFEST = "rings.json"
SET_ASIDE = ".damaged"
_VERSION = 1
_ZEROS_BYTES = 1 << 20
_NUMBER = re.compile(r"\d{8}")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class RingMemory(NamedTuple):
    """What rings are made of, before there are any.

    Parameters
    ----------
    blocks
        Each table's.
    dictionaries
        With one for each column of codes.
    """

    blocks: Mapping[str, Block]
    dictionaries: Dictionaries


class RingFiles:
    """The files of one start.

    Parameters
    ----------
    root
        The feed's folder; made where it is not there.

    Attributes
    ----------
    folder
        This start's.
    name
        Differs from that of every other start's files.
    n_bytes
        Of all files so far.

    Raises
    ------
    TickwireError
        The folder cannot be used.
    """

    def __init__(self, root: Path) -> None:
        self.n_bytes = 0
        self._let_go: Callable[[], object] = _nothing_held
        self.name = uuid4().hex
        try:
            root.mkdir(parents=True, exist_ok=True)
            numbers = (int(each.name[:8]) for each in root.iterdir() if _NUMBER.match(each.name))
            self.folder = root / f"{max(numbers, default=0) + 1:08d}"
            self.folder.mkdir()
        except OSError as error:
            raise TickwireError(f"{root}: cannot hold rings: {error.strerror}") from None

    def make(self, tables: Mapping[str, tuple[Table, int, int]]) -> RingMemory:
        """Allocate and map what the rings of some tables need.

        Parameters
        ----------
        tables
            Each one's declaration, its rows, and the seq of its first row.

        Raises
        ------
        TickwireError
            The disk is too full for them, or fails.
        """
        try:
            dictionaries = Dictionaries(allocate=self._allocate_values)
            blocks = {}
            for name, (table, rows, seq_base) in tables.items():
                allocate = partial(self._allocate, ring_file(name))
                blocks[name] = Block(table, rows, seq_base, allocate)
                for column in table.columns:
                    if column.kind in (Kind.CODE16, Kind.CODE32):
                        dictionaries.of(column.name)
            reach("allocated")
            self._write_manifest(blocks, dictionaries)
        except BaseException:
            self.remove()
            raise
        return RingMemory(blocks, dictionaries)

    def remove(self) -> None:
        """Delete them: nothing in them is waited for."""
        self._let_go()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _allocate_values(self, name: str, n_bytes: int) -> int:
        return self._allocate(dictionary_file(name), n_bytes)

    def _allocate(self, name: str, n_bytes: int) -> int:
        path = self.folder / name
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                allocate(file, n_bytes)
            except BaseException:
                os.close(file)
                raise
        except OSError as error:
            why = error.strerror
            if error.errno == errno.ENOSPC:
                why = f"{why}: a ring needs {n_bytes:,} bytes, {self.n_bytes:,} are there already"
            raise TickwireError(f"{path}: cannot hold a ring: {why}") from None
        self.n_bytes += n_bytes
        return file

    def _write_manifest(self, blocks: Mapping[str, Block], dictionaries: Dictionaries) -> None:
        manifest = {
            "version": _VERSION,
            "name": self.name,
            "boot": boot_id(),
            "rings": {name: layout_hash(block.layout) for name, block in blocks.items()},
            "dictionaries": {name: dictionaries.of(name).max_values for name in dictionaries.names},
        }
        text = json.dumps(manifest).encode()
        fresh = self.folder / f"{MANIFEST}.new"
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._let_go = finalize(self, os.close, file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(file, b"%s\n%08x\n" % (text, crc32(text)))
            fresh.replace(self.folder / MANIFEST)
        except OSError as error:
            raise TickwireError(f"{self.folder}: cannot hold rings: {error.strerror}") from None


def allocate(file: int, n_bytes: int) -> None:
    """Give a new file `n_bytes` zeros, on blocks of the disk that are its own.

    Raises
    ------
    OSError
        The disk is full, or fails.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, n_bytes)
        return
    # macOS has none. Zeros that are written have blocks on any file system.
    zeros = bytes(min(n_bytes, _ZEROS_BYTES))
    at = 0
    while at < n_bytes:
        at += os.pwrite(file, zeros[: n_bytes - at], at)


def is_in_use(folder: Path) -> bool:
    """Whether the process that made the files of a start still lives."""
    try:
        file = os.open(folder / MANIFEST, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _nothing_held() -> None:
    pass


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Give what `rings.json` of a start says; None where it never had a row.

    Raises
    ------
    ValueError
        It is damaged, or of another version.
    """
    try:
        text, _, rest = (folder / MANIFEST).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if rest != b"%08x\n" % crc32(text):
        raise ValueError(f"{MANIFEST} is damaged")
    manifest: dict[str, Any] = json.loads(text)
    if manifest["version"] != _VERSION:
        raise ValueError(f"{MANIFEST} is of version {manifest['version']}, not {_VERSION}")
    return manifest


def earlier_starts(root: Path) -> Iterable[Path]:
    """Give the folders of earlier starts of a feed, oldest first."""
    if not root.is_dir():
        return []
    return sorted(each for each in root.iterdir() if _NUMBER.fullmatch(each.name))


def aside_of(folder: Path) -> Path:
    """Give the folder for what cannot be used of a start's."""
    return folder.with_name(f"{folder.name}{SET_ASIDE}")


def set_aside(root: Path) -> list[Path]:
    """Give what was set aside of a feed's starts, oldest first."""
    kept = (each for each in root.glob(f"*{SET_ASIDE}") if _NUMBER.match(each.name))
    return sorted(each for each in kept if each.is_dir())


def ring_bytes(table: Table, rows: int) -> int:
    """Give how many bytes the ring of a table takes; nothing is allocated."""
    found = 0

    def note(n_bytes: int) -> int:
        nonlocal found
        found = n_bytes
        raise _Measured

    with suppress(_Measured):
        Block(table, rows, 0, note)
    return found


class _Measured(Exception):
    """The size of a block is known."""


def ring_file(table: str) -> str:
    """Give the name of the file of a table's ring."""
    return f"{quote(table, safe='')}.ring"


def dictionary_file(column: str) -> str:
    """Give the name of the file of a column's dictionary."""
    return f"{quote(column, safe='')}.dictionary"


def layout_hash(layout: bytes) -> str:
    """Give a hash of what never changes in a ring's block."""
    return blake2b(layout, digest_size=16).hexdigest()


def boot_id() -> str:
    """Give what differs between two starts of the machine; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
