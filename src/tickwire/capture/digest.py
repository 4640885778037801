"""The id of a capture: a hash of what its files hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tickwire.errors import CaptureError

ID_BYTES = 8


def digest_of(paths: Iterable[Path], part: object = None) -> str:
    """Give the id of a capture, or of a part of it, in hexadecimal digits.

    Parameters
    ----------
    paths
        Its files, in order; their names do not count.
    part
        Which part; None: all of it.

    Raises
    ------
    CaptureError
        A file cannot be read.
    """
    total = hashlib.blake2b(b"" if part is None else repr(part).encode(), digest_size=ID_BYTES)
    for path in paths:
        try:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror}") from None
    return total.hexdigest()
