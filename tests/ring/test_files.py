"""Files of rings: what keeps them from being made or read is named."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from tickwire.errors import TickwireError
from tickwire.ring import RingFiles, earlier_starts, read_manifest
from tickwire.ring import files as module
from tickwire.ring.files import MANIFEST, boot_id
from tickwire.schema import TABLES

ONE = {"trades": (TABLES["trades"], 1024, 0)}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(TickwireError, match=r"a/main: cannot hold rings: Not a directory"):
        RingFiles(tmp_path / "a" / "main")
    assert list(earlier_starts(tmp_path / "a" / "main")) == []


def test_without_a_manifest_no_file_stays(tmp_path: Path) -> None:
    files = RingFiles(tmp_path)
    (files.folder / f"{MANIFEST}.new").mkdir()
    with pytest.raises(TickwireError, match="cannot hold rings: Is a directory"):
        files.make(ONE)
    assert list(earlier_starts(tmp_path)) == []


def test_a_manifest_of_another_version_or_damaged_is_refused(tmp_path: Path) -> None:
    files = RingFiles(tmp_path)
    assert read_manifest(files.folder) is None
    files.make(ONE)
    manifest = read_manifest(files.folder)
    assert manifest is not None
    assert manifest["name"] == files.name
    text = b'{"version": 99}'
    (files.folder / MANIFEST).write_bytes(b"%s\n%08x\n" % (text, crc32(text)))
    with pytest.raises(ValueError, match="is of version 99, not"):
        read_manifest(files.folder)
    (files.folder / MANIFEST).write_bytes(text)
    with pytest.raises(ValueError, match="is damaged"):
        read_manifest(files.folder)


def test_a_system_that_does_not_name_its_starts_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert boot_id() == boot_id()
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "boot_id")
    assert boot_id() == ""
