"""What callbacks raise never reaches the terminal: one line of the log at most, and a count."""

import asyncio
import gc
import re
import socket
import struct
import sys

import pytest
import structlog

from tickwire import errors
from tickwire.feed import run
from tickwire.feed.loops import callback_errors
from tickwire.net import CARRIERS, connect

LOOPS = ("asyncio", "uvloop")


async def end_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def end_after_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def half_a_record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(bytes.fromhex("160303004a0200"))
    writer.close()


ENDS = {
    end_at_once: "closed the connection during the TLS handshake|reset by peer",
    end_after_hello: "closed the connection during the TLS handshake|reset by peer",
    half_a_record: "closed the connection during the TLS handshake|reset by peer",
    reset: "reset by peer",
    speak_http: "does not speak TLS at this port",
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_tls_that_fails_gives_one_reason_and_no_traceback(
    end: object,
    carrier: str,
    loop: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> str:
        server = await asyncio.start_server(end, "127.0.0.1", 0)  # type: ignore[arg-type] # one of ENDS
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.ConnectionFailed) as failed:
            await connect(
                f"wss://127.0.0.1:{port}",
                carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
                connect_timeout_s=5,
            )
        gc.collect()
        await asyncio.sleep(0.02)  # what is reported late
        server.close()
        return str(failed.value)

    with structlog.testing.capture_logs() as logs:
        text = run(main(), loop=loop)
    assert re.search(ENDS[end], text)  # type: ignore[index] # one of ENDS
    assert "\n" not in text
    assert logs == []
    assert [record for record in caplog.records if record.name == "asyncio"] == []
    out, err = capfd.readouterr()
    assert "Traceback" not in err + out


@pytest.mark.parametrize("loop", LOOPS)
def test_a_callback_that_raises_is_counted_and_told_in_one_line(
    loop: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise LookupError("first line\nsecond line")

    async def main() -> int:
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0.01)
        handler = callback_errors()
        assert handler is not None
        return handler.n_errors

    with structlog.testing.capture_logs() as logs:
        assert run(main(), loop=loop) == 1
    [log] = logs
    assert log["event"] == "a callback failed"
    assert "LookupError: first line" in log["error"]
    assert "\n" not in log["error"]
    assert capfd.readouterr().err == ""


def test_a_loop_of_a_programs_own_is_left_alone() -> None:
    async def main() -> object:
        return callback_errors()

    assert asyncio.run(main()) is None


async def name_of_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.parametrize("loop", LOOPS)
def test_it_runs_on_the_loop_that_was_chosen(loop: str) -> None:
    assert run(name_of_loop(), loop=loop).startswith(loop)


async def test_inside_a_loop_it_says_what_to_do_instead() -> None:
    main = name_of_loop()
    with pytest.raises(RuntimeError, match="use `await main\\(\\)` instead"):
        run(main)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
        await main  # it was closed, so nothing warns that it was never awaited


def test_what_has_no_exception_is_a_line_too() -> None:
    async def scene() -> None:
        handler = callback_errors()
        assert handler is not None
        asyncio.get_running_loop().call_exception_handler({"message": "odd\nmore"})
        assert handler.n_errors == 1

    with structlog.testing.capture_logs() as logs:
        run(scene())
    assert [line["error"] for line in logs if line["event"] == "a callback failed"] == ["odd"]


def test_without_uvloop_asyncio_s_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def kind() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(kind(), loop="uvloop").startswith("uvloop")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run(kind(), loop="uvloop").startswith("asyncio")
