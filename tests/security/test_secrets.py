"""Secrets are planted everywhere they can be given; then everything that comes out is searched."""

import asyncio
import json
import logging
import traceback
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import structlog
from tests.cli.program import from_parquet, tickwire
from tests.net.servers import Peer, text
from tests.security.planted import (
    ENVIRONMENT,
    FILE_KEY,
    LISTEN_KEY,
    LITERAL_COOKIE,
    QUERY_TOKEN,
    URL_PASSWORD,
    URL_USER,
    Echo,
    EchoRest,
    find,
    refusing_proxy,
    serving,
)

from tickwire.capture import CaptureWriter
from tickwire.cli.check import plan_lines
from tickwire.config import Config, ConnectionOptions, Feed, Source, load
from tickwire.errors import ConfigError, TickwireError
from tickwire.feed import FeedHandler
from tickwire.feed.plan.planning import plan_feed
from tickwire.net import CARRIERS, connect
from tickwire.session import RestClient, SessionSettings
from tickwire.venues import load as load_venue

HEADERS = (
    f'headers = {{Authorization = "Bearer {{env:PLANTED_TOKEN}}", '
    f'X-Key = "{{file:key.txt}}", Cookie = "session={LITERAL_COOKIE}"}}'
)


def configuration(folder: Path, hyperliquid: int, binance: int, rest: int) -> Path:
    (folder / "key.txt").write_text(FILE_KEY + "\n")
    path = folder / "feeds.toml"
    path.write_text(
        f"""
[[source]]
venue = "hyperliquid"
channels = ["trades"]
symbols = ["BTC"]
url = "ws://127.0.0.1:{hyperliquid}/?token={QUERY_TOKEN}"
backoff_max_s = 0.05
{HEADERS}

[[source]]
venue = "binance"
channels = ["book"]
symbols = ["BTCUSDT"]
url = "ws://127.0.0.1:{binance}"
rest_url = "http://127.0.0.1:{rest}/x?apiKey={QUERY_TOKEN}"
{HEADERS}

[[source]]
venue = "hyperliquid-testnet"
channels = ["trades"]
symbols = ["ETH"]
proxy = "{{env:PLANTED_PROXY}}"
backoff_max_s = 0.05

[[sink]]
type = "duckdb"
path = "market.duckdb"

[[sink]]
type = "parquet"
path = "data"

[[sink]]
type = "ipc"
path = "ipc"
"""
    )
    return path


async def binance(peer: Peer) -> None:
    """Acknowledge, and send a delta, so that a snapshot is asked for."""
    await peer.shake_hands()
    _, asked = await peer.read_frame()
    await peer.send(text(json.dumps({"result": None, "id": json.loads(asked)["id"]})))
    delta = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 5, "u": 6, "b": [], "a": []}
    await peer.send(text(json.dumps({"stream": "btcusdt@depth", "data": delta})))
    await peer.answer_close()


async def test_a_run_shows_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    echo, rest = Echo(), EchoRest()
    async with serving(echo, binance, rest, refusing_proxy) as ports:
        config = configuration(tmp_path, *ports[:3])
        variables = ENVIRONMENT | {
            "PLANTED_PROXY": ENVIRONMENT["PLANTED_PROXY"].format(place=f"127.0.0.1:{ports[3]}")
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        outputs: list[str | bytes] = []
        for log, arguments in (
            ("json", ("check", config)),
            ("plain", ("run", config, "--duration", "3", "--summary", "-")),
        ):
            done = await asyncio.to_thread(tickwire, "--log", log, "--verbose", *arguments)
            outputs += [done.stdout, done.stderr]
            assert done.returncode == 0, done.stderr
    # What was planted was sent, and repeated in every way.
    assert any("Bearer envTokenZQ7x" in seen and FILE_KEY in seen for seen in echo.seen)
    assert any(LITERAL_COOKIE in seen for seen in echo.seen)
    assert echo.n_connections >= 5
    assert rest.n_requests >= 2
    said = done.stderr
    for words in ("401", "302", "did not answer in HTTP", "bad key", "4001", "407", "not_json"):
        assert words in said, words
    assert find("output", outputs) == []
    assert find("files", _everything_written(tmp_path)) == []


def _everything_written(folder: Path) -> list[str | bytes]:
    """Give names and contents; of tables, their rows, because files of them are compressed."""
    found: list[str | bytes] = []
    for path in folder.rglob("*"):
        if path.name in ("key.txt", "feeds.toml"):
            continue
        found.append(str(path.relative_to(folder)))
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".arrows":
            with pa.OSFile(str(path)) as file:
                found += texts(pa.ipc.open_stream(file).read_all())
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as connection:
        for (table,) in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall():
            found.append(str(connection.sql(f'FROM "{table}"').fetchall()))
    details = texts(from_parquet(folder, "sessions"))
    assert any("bad key" in detail for detail in details)
    return found + details


def texts(table: pa.Table) -> list[str]:
    """Give every cell that is text or bytes."""
    return [
        str(cell)
        for column in table.columns
        if not (pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type))
        for cell in column.to_pylist()
    ]


WRONG = {
    "headers no table": f'headers = "Bearer {LITERAL_COOKIE}"',
    "header no string": f'headers = {{A = ["{LITERAL_COOKIE}"]}}',
    "header with a line end": f'headers = {{A = "{LITERAL_COOKIE}\\r\\nX: y"}}',
    "header that is none": f'headers = {{"A b" = "{LITERAL_COOKIE}"}}',
    "header of the handshake": f'headers = {{Host = "{LITERAL_COOKIE}"}}',
    "proxy of another scheme": f'proxy = "https://u:{URL_PASSWORD}@h"',
    "proxy without a scheme": f'proxy = "{URL_USER}:{URL_PASSWORD}@h:3128"',
    "proxy no string": f'proxy = ["http://u:{URL_PASSWORD}@h"]',
    "url with a user": f'url = "wss://{URL_USER}:{URL_PASSWORD}@h"',
    "rest_url with a user": f'rest_url = "https://{URL_USER}:{URL_PASSWORD}@h"',
    "url of another scheme": f'url = "https://{URL_USER}:{URL_PASSWORD}@h/?token={QUERY_TOKEN}"',
    "url with a blank": f'url = "wss://{URL_USER}:{URL_PASSWORD}@h h"',
    "a key with no such name": f'token = "{QUERY_TOKEN}"',
    "no TOML": f"token = {QUERY_TOKEN}",
    "no variable": 'headers = {A = "{env:NOT_SET_ANYWHERE}"}',
    "no file": 'headers = {A = "{file:none.txt}"}',
    "a file that is not text": 'headers = {A = "{file:binary}"}',
    "a folder": 'proxy = "{file:.}"',
    "a proxy from a file that is no URL": 'proxy = "{file:key.txt}"',
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_told_without_them(tmp_path: Path, mistake: str) -> None:
    (tmp_path / "key.txt").write_text(FILE_KEY)
    (tmp_path / "binary").write_bytes(b"\xff\xfe" + FILE_KEY.encode())
    path = tmp_path / "feeds.toml"
    path.write_text(
        '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
        + WRONG[mistake]
        + "\n"
    )
    with pytest.raises(ConfigError) as caught:
        plan_feed(load(path))
    told = [str(caught.value), repr(caught.value), *_traces(caught.value)]
    assert find(mistake, told) == []
    assert len(caught.value.problems) == 1
    key = WRONG[mistake].partition(" ")[0]
    if mistake != "no TOML":
        assert f"source[0].{key}" in caught.value.problems[0]


def test_a_mistake_is_told_by_the_program_without_them(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    mistakes = "\n".join(
        f'[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n{wrong}'
        for mistake, wrong in WRONG.items()
        if mistake != "no TOML"
    )
    path.write_text(mistakes)
    done = tickwire("check", path)
    assert done.returncode == 2
    assert find("check", [done.stdout, done.stderr]) == []


def _traces(error: BaseException) -> list[str]:
    return ["".join(traceback.format_exception(error))]


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_errors_and_their_traces_show_none_of_them(carrier: str) -> None:
    headers = {"Authorization": "Bearer envTokenZQ7x", "Cookie": LITERAL_COOKIE}
    records: list[logging.LogRecord] = []
    listener = logging.Handler(logging.DEBUG)
    listener.emit = records.append  # type: ignore[method-assign] # the smallest handler there is
    root = logging.getLogger()
    root.addHandler(listener)
    level = root.level
    root.setLevel(logging.DEBUG)
    caught: list[BaseException] = []
    try:
        async with serving(Echo(), refusing_proxy, EchoRest()) as (venue, proxy, rest):
            path = f"/ws/{LISTEN_KEY}?token={QUERY_TOKEN}"
            proxies = f"http://me:proxyPassZQ7x@127.0.0.1:{proxy}"
            attempts = [
                *((f"ws://127.0.0.1:{venue}{path}", None) for _ in range(3)),
                (f"ws://127.0.0.1:{venue}{path}", proxies),
                (f"ws://127.0.0.1:1{path}", None),
                (f"wss://127.0.0.1:{venue}{path}", None),
                (f"wss://{URL_USER}:{URL_PASSWORD}@127.0.0.1{path}", None),
                (f"ftp://{URL_USER}:{URL_PASSWORD}@127.0.0.1{path}", None),
                (f"ws://127.0.0.1:x{path}", None),
                (f"ws://127.0.0.1{path}", f"socks://me:proxyPassZQ7x@127.0.0.1:{proxy}"),
            ]
            for url, through in attempts:
                with pytest.raises((TickwireError, ValueError)) as error:
                    await connect(
                        url,
                        carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
                        headers=headers,
                        proxy=through,
                        connect_timeout_s=1,
                    )
                caught.append(error.value)
            for url, through in (
                (f"http://127.0.0.1:{rest}{path}", None),
                (f"http://127.0.0.1:1{path}", None),
                (f"http://{URL_USER}:{URL_PASSWORD}@127.0.0.1:1{path}", None),
                (f"https://127.0.0.1:{rest}{path}", None),
                (f"https://127.0.0.1:{rest}{path}", proxies),
                (f"http://127.0.0.1:x{path}", None),
            ):
                async with RestClient(
                    ConnectionOptions(headers=headers, proxy=through), timeout_s=1
                ) as client:
                    with pytest.raises(TickwireError) as refused:
                        await client.get(url)
                    caught.append(refused.value)
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    said = [words for error in caught for words in (str(error), repr(error), *_traces(error))]
    assert find("errors", said) == []
    formatter = logging.Formatter()
    assert find("logging", [formatter.format(record) for record in records]) == []
    if carrier == "picows":
        assert records


def test_what_a_program_may_print_shows_none_of_them(tmp_path: Path) -> None:
    source = Source(
        venue="hyperliquid",
        channels=["trades"],
        symbols=["BTC"],
        url=f"wss://h/?token={QUERY_TOKEN}",
        rest_url=f"https://h/{LISTEN_KEY}",
        headers={"X-Key": FILE_KEY},
        proxy=f"http://me:{'proxyPassZQ7x'}@p:1",
    )
    config = Config(Feed(), (source,))
    plan = plan_feed(config)
    settings = SessionSettings(source)
    printed = [f"{each!r} {each}" for each in (source, config, plan, settings)]
    assert find("repr", [*printed, *plan_lines(plan)]) == []
    assert source.headers == {"X-Key": FILE_KEY}


async def test_a_listen_key_in_an_endpoint_is_not_shown(tmp_path: Path) -> None:
    async with serving(Echo()) as (port,):
        venue = replace(
            load_venue("hyperliquid"),
            endpoints={"main": f"ws://127.0.0.1:{port}/ws/{LISTEN_KEY}?token={QUERY_TOKEN}"},
        )
        source = Source(venue=venue, channels=["trades"], symbols=["BTC"], backoff_max_s=0.05)
        feed = FeedHandler([source], state_dir=tmp_path)
        with structlog.testing.capture_logs() as logs:
            async with feed:
                sessions = feed.batches("sessions")
                rows: list[object] = []
                while len(rows) < 3:
                    batch = await asyncio.wait_for(sessions.get(), 10)
                    rows += batch.column("detail").to_pylist()
    said = [json.dumps(logs, default=str), str(rows), *plan_lines(feed.plan)]
    assert LISTEN_KEY not in "".join(said)
    assert find("feed", said) == []


def test_a_capture_keeps_the_request_without_them(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "a.jsonl") as writer:
        writer.write_answer(
            1,
            f"https://{URL_USER}:{URL_PASSWORD}@h/api/{LISTEN_KEY}/depth?symbol=BTC&limit=5"
            f"&signature={QUERY_TOKEN}",
            b"{}",
        )
    written = (tmp_path / "a.rest.jsonl").read_text()
    assert find("capture", [written]) == []
    assert "symbol=BTC&limit=5" in written


def test_the_environment_and_files_are_read_where_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_TOKEN", "envTokenZQ7x")
    monkeypatch.setenv("PLANTED_PROXY", "http://me:proxyPassZQ7x@p:1")
    source = load(configuration(tmp_path, 1, 2, 3)).sources[0]
    assert source.headers == {
        "Authorization": "Bearer envTokenZQ7x",
        "X-Key": FILE_KEY,
        "Cookie": f"session={LITERAL_COOKIE}",
    }
    assert load(tmp_path / "feeds.toml").sources[2].proxy == "http://me:proxyPassZQ7x@p:1"
