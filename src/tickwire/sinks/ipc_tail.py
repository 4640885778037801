"""The end of an Arrow IPC stream that a killed process has left: cut off where it is torn.

Rules of this file
------------------
- A stream is whole messages, and at the end a mark (Arrow's specification, "IPC Streaming Format").
  A message is a marker, the length of its metadata, the metadata (a flatbuffer that names the
  length of the body), and the body.
- A stream with the mark is whole. One without it is walked, cut behind its last whole batch, and
  gets the mark, so that readers that want it are content and the next start passes it over.
- A stream that ends within its first batch has no row, and is removed.
- Where bytes are wrong, what is cut may be more than a torn message: it is kept under another name.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
from pathlib import Path

from tickwire.failpoints import reach
from tickwire.sinks.files import sync_folder

CONTINUES = 0xFFFFFFFF
END = struct.pack("<II", CONTINUES, 0)
_HEAD = struct.Struct("<II")
LEAST_METADATA = 16
RECORD_BATCH = 3
# Where the vtable of a Message says where its fields `header_type` and `bodyLength` are.
_KIND, _BODY_LENGTH = 6, 10


def cut_tail(path: Path) -> int:
    """Make a stream whole.

    Parameters
    ----------
    path
        The file; nothing else writes to it.

    Returns
    -------
    int
        Bytes that were cut off.

    Raises
    ------
    OSError
        It cannot be read or written.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size >= len(END) and os.pread(file.fileno(), len(END), size - len(END)) == END:
            return 0
        end, is_torn = 0, True
        if size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                end, is_torn = _whole(data, size)
    if end:
        with path.open("r+b") as file:
            if not is_torn:
                file.seek(end)
                with damaged(path).open("wb") as kept:
                    shutil.copyfileobj(file, kept)
                    kept.flush()
                    os.fsync(kept.fileno())
            file.truncate(end)
            reach("tail")
            file.seek(end)
            file.write(END)
            file.flush()
            os.fsync(file.fileno())
        return size - end
    if is_torn:
        path.unlink()
    else:
        path.rename(damaged(path))
    sync_folder(path.parent)
    return size


def damaged(path: Path) -> Path:
    """Give the name under which what is cut off a stream with wrong bytes is kept."""
    return path.with_name(f"{path.name}.damaged")


def _whole(data: mmap.mmap, size: int) -> tuple[int, bool]:
    """Give where the last whole batch of rows ends, 0 without one; and whether the rest is torn.

    Dictionaries behind it are of a batch that is not there: readers do not take them alone.
    """
    at = end = 0
    while at + _HEAD.size <= size:
        marker, n_metadata = _HEAD.unpack_from(data, at)
        body = at + _HEAD.size + n_metadata
        if marker != CONTINUES or n_metadata < LEAST_METADATA:
            return end, False
        if body > size:
            break
        found = _message(data, at + _HEAD.size, n_metadata)
        if found is None:
            return end, False
        kind, n_body = found
        if n_body > size - body:
            break
        at = body + n_body
        if kind == RECORD_BATCH:
            end = at
    return end, True


def _message(data: mmap.mmap, start: int, n_bytes: int) -> tuple[int, int] | None:
    """Give a message's kind and the length of its body; None where its metadata are none."""
    (root,) = struct.unpack_from("<I", data, start)
    if root > n_bytes - 8:
        return None
    (back,) = struct.unpack_from("<i", data, start + root)
    vtable = root - back
    if not 0 <= vtable <= n_bytes - 4:
        return None
    (n_vtable,) = struct.unpack_from("<H", data, start + vtable)
    if vtable + n_vtable > n_bytes:
        return None
    kind = _field(data, start, n_bytes, root, vtable, n_vtable, _KIND, "<B")
    length = _field(data, start, n_bytes, root, vtable, n_vtable, _BODY_LENGTH, "<q")
    return None if kind is None or length is None or length < 0 else (kind, length)


def _field(
    data: mmap.mmap,
    start: int,
    n_bytes: int,
    root: int,
    vtable: int,
    n_vtable: int,
    at: int,
    form: str,
) -> int | None:
    """Give a field of a flatbuffer's root; 0 where it is left out, None where it cannot be."""
    if at + 2 > n_vtable:
        return 0
    (place,) = struct.unpack_from("<H", data, start + vtable + at)
    if not place:
        return 0
    if root + place + struct.calcsize(form) > n_bytes:
        return None
    (value,) = struct.unpack_from(form, data, start + root + place)
    return int(value)
