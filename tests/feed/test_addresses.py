"""A venue that says by REST where to connect: asked before each connection, by a real server."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.venues.own import declare

import tickwire
from tickwire.decode.plan import message, present
from tickwire.errors import PlanError
from tickwire.venues import Before, Reply

REFERENCE = Path(__file__).parents[2] / "docs" / "declaring.md"
TRADE = {"type": "trade", "s": "A", "t": 1, "p": "1", "q": "1", "side": "buy", "id": "1"}


def of_the_reference() -> Before:
    """Give the example of the reference page."""
    text = REFERENCE.read_text(encoding="utf-8")
    (code,) = (each for each in re.findall(r"```python\n(.*?)```", text, re.S) if "Before(" in each)
    names: dict[str, Any] = {"json": json}
    exec(code, names)  # noqa: S102 - our own documentation
    found = names["before"]
    assert isinstance(found, Before)
    return found


class Tokens:
    """Answers with the address of a server and a token, another one each time.

    Parameters
    ----------
    n_refused
        So many requests are refused first.
    refusal
        What they are answered.
    """

    def __init__(self, n_refused: int = 0, refusal: tuple[int, bytes] = (503, b"not now")) -> None:
        self.refusal = refusal
        self.endpoint = ""
        self.prefix = "T"
        self.asked: list[tuple[str, str, bytes]] = []
        self.n_refused = n_refused

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append((method, path, body))
        if len(self.asked) <= self.n_refused:
            return self.refusal
        servers = [{"endpoint": self.endpoint, "pingInterval": 18000, "pingTimeout": 10000}]
        data = {"instanceServers": servers, "token": f"{self.prefix}{len(self.asked)}"}
        return 200, json.dumps({"code": "200000", "data": data}).encode()


@contextmanager
def served(tokens: Tokens) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, answer = tokens.answer("POST", self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def venue(**named: Any) -> Any:
    return declare(
        endpoints={"main": "wss://nowhere.invalid/endpoint"},
        rest_url="https://nowhere.invalid",
        subscribe=lambda asked, number: json.dumps({"keys": [each.key for each in asked]}),
        reply=lambda kind, payload: Reply(acknowledged=tuple(json.loads(payload)["keys"])),
        messages=(
            *declare().messages,
            message("subscribed", when={"keys": present()}, kind="acknowledge"),
        ),
        **named,
    )


async def n_trades(source: tickwire.Source, n: int) -> None:
    async with tickwire.FeedHandler([source], state_dir=None) as feed:
        consumer = feed.batches("trades")
        while n > 0:
            n -= (await consumer.get()).num_rows


@pytest.mark.parametrize(
    ("n_refused", "refusal"),
    [(0, (503, b"")), (1, (503, b"not now")), (1, (200, b"<html>")), (1, (200, b'{"data":{}}'))],
)
def test_each_connection_has_an_address_of_its_own(
    n_refused: int, refusal: tuple[int, bytes]
) -> None:
    tokens = Tokens(n_refused, refusal)
    plays = [[json.dumps(TRADE | {"id": str(number)}).encode()] for number in range(2)]
    with exchange(plays, json.dumps) as server, served(tokens) as rest_url:
        tokens.endpoint = f"{server.ws_url}/endpoint"
        source = tickwire.Source(
            venue=venue(before=of_the_reference()),
            channels=["trades"],
            symbols=["A"],
            rest_url=rest_url,
        )
        tickwire.run(n_trades(source, 2))
    assert set(tokens.asked) == {("POST", "/api/v1/bullet-public", b"")}
    first = n_refused + 1
    assert [each.partition("token=")[2] for each in server.paths][:2] == [
        f"T{first}&connectId=1",
        f"T{first + 1}&connectId=1",
    ]


def test_who_names_a_server_alone_is_not_asked() -> None:
    with exchange([[json.dumps(TRADE).encode()]], json.dumps) as server:
        source = tickwire.Source(
            venue=venue(before=of_the_reference()),
            channels=["trades"],
            symbols=["A"],
            url=server.ws_url,
        )
        tickwire.run(n_trades(source, 1))
    assert server.paths == ["/endpoint"]


def test_what_is_wrong_is_found_where_it_is_declared() -> None:
    with pytest.raises(PlanError, match=r"rest_url: is required with before"):
        declare(before=Before("/x", str))
    with pytest.raises(PlanError, match=r"before.path: is 'x', should begin with /"):
        declare(before=Before("x", str), rest_url="https://own.example")


@pytest.mark.parametrize(
    ("endpoint", "refusal", "words"),
    [
        ("ws://127.0.0.1:1/endpoint", (503, b""), "/endpoint?token=***&connectId=1: "),
        ("", (200, b"[" * 100_000), "/api/v1/bullet-public gave RecursionError"),
    ],
)
def test_neither_the_answer_nor_its_address_is_shown(
    endpoint: str, refusal: tuple[int, bytes], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(0 if endpoint else 100, refusal)
    tokens.endpoint, tokens.prefix = endpoint, "VerySecret"

    async def first_detail(rest_url: str) -> str:
        source = tickwire.Source(
            venue=venue(before=of_the_reference()),
            channels=["trades"],
            symbols=["A"],
            rest_url=rest_url,
        )
        async with tickwire.FeedHandler([source], state_dir=None) as feed:
            batch = await feed.batches("sessions").get()
            return str(batch["detail"][0])

    with served(tokens) as rest_url:
        detail = tickwire.run(first_detail(rest_url))
    assert words in detail
    assert "VerySecret" not in detail + caplog.text
