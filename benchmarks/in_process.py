"""From the read to the ring, without a socket: the stretch in which no Python object is made.

Rules of this file
------------------
- Frames come from a file by `readv`, straight into the receive buffer, as a carrier brings them:
  the kernel copies. A read is of at most 64 KiB, whatever a carrier would take.
- A read brings whole frames, always as many, so that work per read is the same in every read.
- No table has a consumer: the rings are written over and over, and are never full.

`python -m benchmarks.in_process --case l2Book --seconds 10` keeps it busy for a
profiler.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.decode.payloads import CASES

from tickwire.decode import Decoder, Program
from tickwire.net import Receiver
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import SYSTEM_TABLES, TABLES
from tickwire.wire import Handler, build_frame

READ_BYTES = 65_536
RING_ROWS = 16_384


def fitting(case: str) -> int:
    """Give how many frames of a case fit into a read, whatever their numbers."""
    longest = max(len(CASES[case].payload(number)) for number in range(200))
    return READ_BYTES // (longest + longest // 40 + 14)


def block(payloads: list[bytes]) -> bytes:
    """Give the bytes of a read that brings these messages."""
    data = b"".join(build_frame(1, payload, mask=False) for payload in payloads)
    assert len(data) <= READ_BYTES
    return data


class Frames:
    """Frames in a file, cut into reads.

    Parameters
    ----------
    path
        The file; it stays when these are closed.
    read_bytes
        How many bytes each read brings.
    per_read
        Frames in each of them.
    """

    def __init__(self, path: Path, read_bytes: list[int], per_read: int) -> None:
        self.path = path
        self.read_bytes = read_bytes
        self.per_read = per_read
        self.n_messages = len(read_bytes) * per_read
        self.descriptor = os.open(path, os.O_RDONLY)

    @classmethod
    def write(
        cls, path: Path, case: str, n_reads: int, *, per_read: int = 0, first: int = 0
    ) -> Self:
        """Make frames of the messages from `first` on; unless given, as many a read as fit."""
        payload = CASES[case].payload
        per_read = per_read or fitting(case)
        read_bytes = []
        with path.open("wb") as file:
            for start in range(first, first + n_reads * per_read, per_read):
                data = block([payload(number) for number in range(start, start + per_read)])
                file.write(data)
                read_bytes.append(len(data))
        return cls(path, read_bytes, per_read)

    def rewind(self) -> None:
        """Start with the first frame again."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_frames(receiver: Receiver, descriptor: int, read_bytes: list[int]) -> None:
    """Bring a receiver its bytes as the loop would, once for each number of bytes."""
    readv = os.readv
    for n_bytes in read_bytes:
        receiver.buffer_updated(readv(descriptor, (receiver.get_buffer()[:n_bytes],)))


class InProcessPipeline:
    """A connection's receiver, its parser, and a decoder with its rings.

    Parameters
    ----------
    case
        Of `benchmarks.decode.payloads`.
    decodes
        Without it messages go to a handler that does nothing, and the parser alone remains.
    ring_rows
        Rows of each ring.
    """

    def __init__(self, case: str, *, decodes: bool = True, ring_rows: int = RING_ROWS) -> None:
        self.case = CASES[case]
        self.tables = {name: each for name, each in TABLES.items() if name not in SYSTEM_TABLES}
        self.dictionaries = Dictionaries()
        self.rings = {
            name: Ring(table, ring_rows, self.dictionaries) for name, table in self.tables.items()
        }
        self.program = Program("bench", self.case.messages, self.tables)
        self.decodes = decodes
        self.connect()

    def connect(self) -> None:
        """Begin anew on the same rings: no trade has been seen, nothing is in the buffer."""
        self.decoder = Decoder(self.program, self.rings, self.dictionaries, venue="bench")
        self.receiver = Receiver(self.decoder.connection(1) if self.decodes else Handler())
        self.receiver.start()

    @property
    def n_rows(self) -> int:
        """Rows published."""
        return self.rings[self.case.table].published

    def read(self, descriptor: int, read_bytes: list[int]) -> None:
        """Read and decode, once for each number of bytes."""
        read_frames(self.receiver, descriptor, read_bytes)

    def check(self, n_messages: int, n_rows_before: int = 0) -> None:
        """Raise where the messages read since `connect` did not all give their rows."""
        assert self.receiver.parser.n_messages == n_messages
        assert not self.receiver.paused
        assert not self.receiver.ended
        if self.decodes:
            assert self.decoder.errors == {}
            assert self.decoder.unknown_messages == 0
            assert self.n_rows - n_rows_before == n_messages * self.case.n_rows


def steady(pipeline: InProcessPipeline, frames: Frames, seconds: float) -> int:
    """Read the frames over and over, by connections that follow each other; how many that were."""
    n_messages, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = pipeline.n_rows
        pipeline.connect()
        frames.rewind()
        pipeline.read(frames.descriptor, frames.read_bytes)
        pipeline.check(frames.n_messages, before)
        n_messages += frames.n_messages
    return n_messages


def main(arguments: list[str] | None = None) -> None:
    """Keep the pipeline busy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_process", description=__doc__)
    parser.add_argument("--case", choices=CASES, default="trade")
    parser.add_argument("--frames-alone", action="store_true", help="parse, decode nothing")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args(arguments)
    pipeline = InProcessPipeline(options.case, decodes=not options.frames_alone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Frames.write(Path(folder) / "frames", options.case, 100) as frames,
    ):
        steady(pipeline, frames, 0.1)
        print("steady", flush=True)
        started = time.perf_counter()
        n_messages = steady(pipeline, frames, options.seconds)
        seconds = time.perf_counter() - started
    print(f"{options.case}: {n_messages:,} messages, {seconds / n_messages * 1e9:,.0f} ns each")


if __name__ == "__main__":
    main()
