"""A capture is sent on its own schedule, each of its connections on one of the sender's."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import websockets
from benchmarks.captures.recorded import RecordedLoad
from benchmarks.captures.tape import CaptureSpec

from tickwire.bench.load import LoadServer
from tickwire.bench.open_loop import OpenLoopServer
from tickwire.bench.schedule import Stretch
from tickwire.errors import TickwireError

MS = 1_000_000
# Receive times in ms, and connections; one goes back in time.
MESSAGES = [(0, 4), (1, 7), (1, 4), (6, 5), (5, 4), (8, 7), (20, 4), (30, 7), (500, 4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    capture = tmp_path / "day.jsonl"
    capture.write_text("".join(f'{{"n":{n}}}\n' for n in range(len(MESSAGES))))
    lines = [f"{10**18 + ms * MS}\t{connection}\n" for ms, connection in MESSAGES]
    capture.with_name("day.meta.tsv").write_text("# recv_ns\tconnection\n" + "".join(lines))
    return capture


def test_due_times_are_the_captures_own(path):
    frames = RecordedLoad(path, (4, 5, 7), 0.1, 1.0).open()
    assert frames.payloads == [b'{"n":%d}' % n for n in range(8)]
    assert frames.lane_of.tolist() == [0, 2, 0, 1, 0, 2, 0, 2]
    assert (frames.due_ns / MS).tolist() == [0, 1, 1, 6, 6, 8, 20, 30]
    assert frames.n_messages == 8
    (block,) = frames.passes(Stretch(8, 1.0), 0)
    assert b"".join(bytes(lane) for lane in block.lanes).count(b'{"n":') == 8
    assert block.n_bytes == sum(len(lane) for lane in block.lanes)


def test_faster_is_closer_together(path):
    frames = RecordedLoad(path, (4, 5, 7), 0.1, 10.0).open()
    assert (frames.due_ns / MS * 10).tolist() == [0, 1, 1, 6, 6, 8, 20, 30]


def test_connections_can_be_left_out(path):
    frames = RecordedLoad(path, (7,), 0.1, 1.0).open()
    assert frames.payloads == [b'{"n":1}', b'{"n":5}', b'{"n":7}']
    assert (frames.due_ns / MS).tolist() == [0, 7, 29]


def test_what_cannot_be_sent_is_an_error(path):
    with pytest.raises(TickwireError, match="nothing of connections"):
        RecordedLoad(path, (9,), 0.1, 1.0).open()
    with pytest.raises(TickwireError, match="5 messages asked for of 8"):
        next(RecordedLoad(path, (4, 5, 7), 0.1, 1.0).open().passes(Stretch(5, 1.0), 0))
    path.with_name("day.meta.tsv").unlink()
    with pytest.raises(TickwireError, match="no times"):
        RecordedLoad(path, (4,), 0.1, 1.0).open()


async def test_each_connection_gets_its_messages_when_they_are_due(path):
    load = RecordedLoad(path, (4, 5, 7), 0.1, 1.0)
    loop = asyncio.get_running_loop()
    with OpenLoopServer(load) as server:
        async with (
            websockets.connect(server.urls[0]) as first,
            websockets.connect(server.urls[1]) as second,
            websockets.connect(server.urls[2]) as third,
        ):
            for number, ws in enumerate((first, second, third)):
                await ws.send(json.dumps({"method": "SUBSCRIBE", "params": [], "id": number}))
                assert json.loads(await ws.recv()) == {"result": None, "id": number}
            sending = loop.run_in_executor(None, server.send, Stretch(8, 1.0))
            got = [
                [json.loads(await ws.recv())["n"] for _ in range(n_messages)]
                for ws, n_messages in ((first, 4), (second, 1), (third, 3))
            ]
            report = await sending
    assert got == [[0, 2, 4, 6], [3], [1, 5, 7]]
    assert report.seconds >= 0.030
    assert ((report.due_ns - report.due_ns[0]) / MS).tolist() == [0, 1, 1, 6, 6, 8, 20, 30]
    assert (report.late_ns >= 0).all()
    assert np.shape(report.late_ns) == (8,)
    assert report.n_bytes == sum(len(b'{"n":0}') + 2 for _ in range(8))


async def test_what_was_recorded_is_sent_as_it_is_over_and_over(tmp_path):
    path = tmp_path / "books.jsonl"
    recorded = ["{}", '{"channel":"l2Book","data":"' + "x" * 200 + '"}', '{"channel": "é"}', "[]"]
    path.write_text("\n".join(recorded), encoding="utf-8")
    spec = CaptureSpec("book", n_messages=9, tape_messages=3, capture=str(path))
    with LoadServer(spec) as server:
        async with websockets.connect(server.url) as ws:
            await ws.send("{}")
            await ws.recv()
            texts = [await ws.recv() for _ in range(9)]
        report = await asyncio.to_thread(server.report)
    assert texts == 3 * recorded[:3]
    assert report.bytes == 3 * len(spec.record().data)


def test_a_tape_of_what_is_not_there_is_an_error(tmp_path):
    path = tmp_path / "few.jsonl"
    path.write_text("{}\n{}\n")
    with pytest.raises(TickwireError, match="has 2 messages, not 3"):
        CaptureSpec("book", tape_messages=3, capture=str(path)).record()
    with pytest.raises(TickwireError, match="absent"):
        CaptureSpec("book", capture=str(tmp_path / "absent.jsonl")).record()
