"""The disk of an output turns read-only under it, as after an I/O error, and is mended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sinks.batches import wait_for
from tests.sinks.test_failures import KINDS, n_committed, read, sink_of, start

from tickwire.sinks import attempts, spiller
from tickwire.supervise import breaker

DISK_BYTES = 32 << 20


def command(*words: str | Path) -> str:
    """Run a command; gives why it failed, or nothing."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    return "" if done.returncode == 0 else done.stderr.strip() or "it failed"


class Disk:
    """An ext4 file system in a file, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self.folder.mkdir()
        self._image = folder / "image"
        with self._image.open("wb") as file:
            file.truncate(DISK_BYTES)
        # What lies under it is read-only, too: an output is not made there between two mounts.
        problem = (
            command("mount", "-t", "tmpfs", "-o", "ro", "none", self.folder)
            or command("mkfs.ext4", "-q", self._image)
            or self.mount()
        )
        if problem:
            self.end()
            pytest.skip(f"no file system of its own for this user: {problem}")

    def mount(self) -> str:
        return command("mount", "-o", "loop,errors=remount-ro", self._image, self.folder)

    def fail(self) -> None:
        """Make it read-only as an I/O error does, though files are open; what is written is kept.

        A plain `remount,ro` is refused while a file is open for writing.
        """
        assert not command("sync", "-f", self.folder)
        problem = command("mount", "-o", "remount,abort", self.folder)
        if problem:
            pytest.skip(f"no error can be injected here: {problem}")
        # The journal is aborted; the first write after that turns it read-only.
        with pytest.raises(OSError, match="Read-only file system"):
            (self.folder / "probe").write_text("x")

    def mend(self) -> None:
        """Unmount, check and mount it, as a person would."""
        wait_for(lambda: not command("umount", self.folder))
        command("fsck.ext4", "-fy", self._image)
        assert not self.mount()

    def end(self) -> None:
        """Let go of both."""
        while not command("umount", "-l", self.folder):
            pass


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    disk.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_BACKOFF_S", 0.05)
    monkeypatch.setattr(attempts, "LONGEST_BACKOFF_S", 0.05)
    monkeypatch.setattr(attempts, "SPILL_AFTER_S", 0.1)
    monkeypatch.setattr(spiller, "SPILL_LOOK_S", 0.01)
    monkeypatch.setattr(breaker, "FIRST_OPEN_S", 0.05)
    monkeypatch.setattr(breaker, "LONGEST_OPEN_S", 0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_turns_read_only_costs_no_row(kind: str, disk: Disk, tmp_path: Path) -> None:
    sink = sink_of(kind, disk.folder)
    other = sink_of("ipc", tmp_path)
    source, others = start(sink, tmp_path / "one"), start(other, tmp_path / "other")
    source.more(3)
    wait_for(lambda: n_committed(sink) == 30)
    disk.fail()
    source.more(4)
    others.more(2)
    wait_for(lambda: sink.error)
    wait_for(lambda: not source.batches)  # the ring is free, the spill has the rows
    wait_for(lambda: n_committed(other) == 20)
    assert sink.rows_left == {"trades": 40}
    assert not other.error
    disk.mend()
    wait_for(lambda: n_committed(sink) == 70)
    source.more()
    sink.stop()
    other.stop()
    assert sink.failed is None
    assert read(kind, disk.folder) == list(range(80))
