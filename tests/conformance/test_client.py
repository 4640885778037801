"""The client does what the suite asks of one, against a small server that asks the same."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.conformance.client import NAMES, run
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

MESSAGES: list[str | bytes] = ["", "text", b"binary", "é" * 40_000, bytes(100_000)]


class Suite:
    def __init__(self, n_cases: int) -> None:
        self.n_cases = n_cases
        self.asked: list[tuple[str, str | None, str | None]] = []

    async def __call__(self, server: ServerConnection) -> None:
        assert server.request is not None
        parts = urlsplit(server.request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query.get("case"), query.get("agent")))
        if parts.path == "/getCaseCount":
            await server.send(str(self.n_cases))
        elif query.get("case") == "1":
            for message in MESSAGES:
                await server.send(message)
                assert await server.recv() == message
        elif query.get("case") == "2":
            server.transport.write(b"\x83\x00")  # a reserved opcode
            with pytest.raises(ConnectionClosed, match="1002"):
                await server.recv()
        elif query.get("case") == "3":
            server.transport.abort()


@pytest.mark.parametrize("name", NAMES)
async def test_it_runs_every_case_and_asks_for_the_reports(name: str) -> None:
    suite = Suite(3)
    async with serve(suite, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.wait_for(run(name, f"ws://127.0.0.1:{port}"), 30) == 0
    assert suite.asked == [
        ("/getCaseCount", None, None),
        *(("/runCase", str(case), name) for case in (1, 2, 3)),
        ("/updateReports", None, name),
    ]


async def test_a_suite_without_cases_is_no_success() -> None:
    suite = Suite(0)
    async with serve(suite, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        assert await run("protocol", f"ws://127.0.0.1:{port}") == 1


async def test_a_refused_case_is_told_and_the_others_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    suite = Suite(2)

    async def refuse_the_second(server: ServerConnection, request: object) -> object:
        path = str(getattr(request, "path", ""))
        return server.respond(503, "not now\n") if "case=2" in path else None

    async with serve(
        suite, "127.0.0.1", 0, compression=None, process_request=refuse_the_second
    ) as server:
        port = server.sockets[0].getsockname()[1]
        assert await run("protocol", f"ws://127.0.0.1:{port}") == 1
    assert "case 2 of 2: HandshakeError" in capsys.readouterr().err
    assert suite.asked[-1] == ("/updateReports", None, "protocol")
