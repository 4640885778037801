"""What a configuration may say, and the error of each mistake."""

import os
from pathlib import Path

import pytest

from tickwire.config import AlertSettings, Config, Feed, Source, load
from tickwire.errors import ConfigError
from tickwire.sinks import DuckDBSettings, IpcSettings, ParquetSettings

SOURCE = '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
COMPLETE = """
[feed]
name = "desk"
loop = "asyncio"
ring_rows = 32768
overflow = "drop_oldest"
state_dir = "state"
hold_bytes = 1048576

[[source]]
venue = "hyperliquid"
channels = ["trades", "book:n5m2", "candles:1m"]
symbols = ["BTC", "@107"]
url = "ws://127.0.0.1:9001"
rest_url = "http://127.0.0.1:9002"
carrier = "picows"
extras = true
ca_file = "tls/ca.pem"
headers = { X-Desk = "7" }
proxy = "http://proxy:3128"
replay_connections = [4, 5]
connect_timeout_s = 5
subscribe_timeout_s = 2.5
backoff_max_s = 10.0
max_message_bytes = 65536

[[sink]]
type = "duckdb"
name = "live"
path = "market.duckdb"
tables = ["trades"]
flush_ms = 20
checkpoint_mb = 64

[[sink]]
type = "parquet"
path = "/data/parquet"
rotate_s = 1.5
rotate_rows = 10

[[sink]]
type = "ipc"
path = "ipc"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "feeds.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert all(problem.startswith(f"{path}:") for problem in caught.value.problems)
    assert "\n" not in "".join(caught.value.problems)
    return [problem.removeprefix(f"{path}:").lstrip() for problem in caught.value.problems]


def test_a_small_configuration_has_the_documented_defaults(tmp_path: Path) -> None:
    text = SOURCE + '[[sink]]\ntype="duckdb"\npath="a.duckdb"\n[[sink]]\ntype="parquet"\npath="d"\n'
    config = load(written(tmp_path, text))
    assert config.feed == Feed(
        name="main",
        loop="uvloop",
        ring_rows=262_144,
        overflow="block",
        state_dir=tmp_path / ".tickwire",
    )
    [source] = config.sources
    assert (source.carrier, source.extras, source.url, source.ca_file) == (
        "protocol",
        False,
        None,
        None,
    )
    assert source.replay_connections is None
    duckdb, parquet = config.sinks
    assert duckdb == DuckDBSettings(
        name="duckdb", path=tmp_path / "a.duckdb", flush_ms=50, checkpoint_mb=1024
    )
    assert parquet == ParquetSettings(
        name="parquet", path=tmp_path / "d", rotate_s=60, rotate_rows=1_000_000
    )
    assert parquet.tables is None


def test_every_key_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, COMPLETE)
    config = load(path)
    assert config.origin == str(path)
    assert config.feed == Feed(
        name="desk",
        loop="asyncio",
        ring_rows=32_768,
        overflow="drop_oldest",
        state_dir=tmp_path / "state",
        hold_bytes=1 << 20,
    )
    assert config.sources == (
        Source(
            venue="hyperliquid",
            channels=("trades", "book:n5m2", "candles:1m"),
            symbols=("BTC", "@107"),
            url="ws://127.0.0.1:9001",
            rest_url="http://127.0.0.1:9002",
            carrier="picows",
            extras=True,
            ca_file=tmp_path / "tls/ca.pem",
            headers={"X-Desk": "7"},
            proxy="http://proxy:3128",
            replay_connections=(4, 5),
            connect_timeout_s=5.0,
            subscribe_timeout_s=2.5,
            backoff_max_s=10.0,
            max_message_bytes=65_536,
        ),
    )
    assert config.sinks == (
        DuckDBSettings(
            name="live",
            path=tmp_path / "market.duckdb",
            tables=("trades",),
            flush_ms=20,
            checkpoint_mb=64,
        ),
        ParquetSettings(path=Path("/data/parquet"), rotate_s=1.5, rotate_rows=10),
        IpcSettings(path=tmp_path / "ipc"),
    )


def test_relative_paths_start_at_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    written(tmp_path / "conf", COMPLETE)
    monkeypatch.chdir(tmp_path)
    config = load("conf/feeds.toml")
    assert config.feed.state_dir == Path("conf/state")
    assert config.sinks[0].path == Path("conf/market.duckdb")
    assert config.sinks[1].path == Path("/data/parquet")


def test_an_empty_state_dir_keeps_no_state(tmp_path: Path) -> None:
    assert load(written(tmp_path, SOURCE + '[feed]\nstate_dir=""\n')).feed.state_dir is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            SOURCE + "[fed]\n",
            "fed: unknown key, did you mean 'feed'? "
            "(known: feed, source, sink, books, metrics, alert, emergency, severity)",
        ),
        ("[feed]\n", "source: is required, at least one [[source]]"),
        ("source = 1\n", "source: is 1, should be a list of tables: write [[source]]"),
        ("[source]\n", "source: is one table, should be a list of them: write [[source]]"),
        (SOURCE + "[sink]\n", "sink: is one table, should be a list of them: write [[sink]]"),
        ("source = [1]\n", "source[0]: is 1, should be a table"),
        ("feed = 1\n" + SOURCE, "feed: is 1, should be a table"),
        (SOURCE + "[feed]\nname=5\n", "feed.name: is 5, should be a string in quotes"),
        (
            SOURCE + '[feed]\nname=""\n',
            "feed.name: is '', should have at least 1 character",
        ),
        (
            SOURCE + '[feed]\nloop="trio"\n',
            "feed.loop: is 'trio', should be 'uvloop' or 'asyncio'",
        ),
        (
            SOURCE + "[feed]\nring_rows=16385\n",
            "feed.ring_rows: is 16385, should be a power of two, at least 16384",
        ),
        (
            SOURCE + "[feed]\nring_rows=8192\n",
            "feed.ring_rows: is 8192, should be a power of two, at least 16384",
        ),
        (
            SOURCE + '[feed]\nring_rows="16384"\n',
            "feed.ring_rows: is '16384', should be a whole number",
        ),
        (
            SOURCE + '[feed]\noverflow="drop"\n',
            "feed.overflow: is 'drop', should be 'block' or 'drop_oldest'",
        ),
        (SOURCE + "[feed]\nstate_dir=1\n", "feed.state_dir: is 1, should be a path in quotes"),
        (
            SOURCE + "coalesce_us=100001\n",
            "source[0].coalesce_us: is 100001, should be a whole number of us from 0 to 100000,"
            ' or "auto"',
        ),
        (
            SOURCE + "coalesce_us=true\n",
            "source[0].coalesce_us: is true, should be a whole number of us from 0 to 100000,"
            ' or "auto"',
        ),
        (
            SOURCE + "busy_poll_us=-1\n",
            "source[0].busy_poll_us: is -1, should be greater than or equal to 0",
        ),
        (
            SOURCE + 'coalesce_us="auto"\nbusy_poll_us=50\n',
            "source[0].busy_poll_us: is 50, should be 0 where coalesce_us is not:"
            " a connection rests, or it spins",
        ),
        (
            SOURCE + 'carrier="fast"\n',
            "source[0].carrier: is 'fast', should be 'protocol', 'stream' or 'picows'",
        ),
        (SOURCE + "extras=1\n", "source[0].extras: is 1, should be true or false"),
        (
            SOURCE + 'url="http://x"\n',
            "source[0].url: is 'http://x', should be a URL with ws:// or wss:// and a host",
        ),
        (
            SOURCE + 'url="ws://h:99999"\n',
            "source[0].url: is 'ws://h:99999', should be a URL with ws:// or wss:// and a host",
        ),
        (
            SOURCE + "url=1\n",
            "source[0].url: should be a string in quotes, or a table of them: url.NAME",
        ),
        (
            SOURCE + "url={}\n",
            "source[0].url: should be a string in quotes, or a table of them: url.NAME",
        ),
        (
            SOURCE + 'url={main="http://x"}\n',
            "source[0].url: main is 'http://x', should be a URL with ws:// or wss:// and a host",
        ),
        (
            SOURCE + 'rest_url="ws://x"\n',
            "source[0].rest_url: is 'ws://x', should be a URL with http:// or https:// and a host",
        ),
        (
            SOURCE + "headers={a=1}\n",
            "source[0].headers.a: should be a string in quotes",
        ),
        (
            SOURCE + "replay_connections=[-1]\n",
            "source[0].replay_connections[0]: is -1, should be greater than or equal to 0",
        ),
        (
            SOURCE + "connect_timeout_s=0\n",
            "source[0].connect_timeout_s: is 0, should be greater than 0",
        ),
        (
            SOURCE + "connect_timeout_s=inf\n",
            "source[0].connect_timeout_s: is inf, should be a finite number",
        ),
        (
            SOURCE.replace('["BTC"]', '["*", "BTC"]'),
            "source[0].symbols: is ['*', 'BTC'], should be either [\"*\"] or symbols by name",
        ),
        (
            SOURCE.replace('["BTC"]', '"BTC"'),
            "source[0].symbols: is 'BTC', should be a list in brackets",
        ),
        (SOURCE.replace('["BTC"]', "[]"), "source[0].symbols: is [], should name at least one"),
        (
            SOURCE.replace('["trades"]', '["trades", "trades"]'),
            "source[0].channels: is ['trades', 'trades'], names 'trades' more than once",
        ),
        (
            SOURCE.replace('venue = "hyperliquid"\n', ""),
            "source[0].venue: is required, should be the name of a venue, such as 'hyperliquid'",
        ),
        (
            SOURCE.replace('"hyperliquid"', "1"),
            "source[0].venue: is 1, should be the name of a venue",
        ),
        (
            SOURCE + "[[sink]]\n",
            "sink[0].type: is required, one of 'duckdb', 'ipc', 'parquet', 'raw'",
        ),
        (
            SOURCE + '[[sink]]\ntype="csv"\n',
            "sink[0].type: is 'csv', should be one of 'duckdb', 'ipc', 'parquet', 'raw'",
        ),
        (
            SOURCE + "[[sink]]\ntype=[1]\n",
            "sink[0].type: is [1], should be one of 'duckdb', 'ipc', 'parquet', 'raw'",
        ),
        (
            SOURCE + '[[sink]]\ntype="ipc"\n',
            "sink[0].path: is required, should be a path in quotes",
        ),
        (SOURCE + '[[sink]]\ntype="ipc"\npath=""\n', "sink[0].path: is '', should not be empty"),
        (
            SOURCE + '[[sink]]\ntype="ipc"\npath="a"\nrotate_s=1\n',
            "sink[0].rotate_s: unknown key, did you mean",
        ),
        (
            SOURCE + '[[sink]]\ntype="duckdb"\npath="a"\nflush_ms=0\n',
            "sink[0].flush_ms: is 0, should be greater than or equal to 1",
        ),
        (
            '[feed]\nname = "a\\u0001b"\n' + SOURCE,
            "feed.name: is 'a\\x01b', should have no control characters",
        ),
        ("a = \n", "1:5: is not TOML: Invalid value"),
        ("[feed\n", "1:6: is not TOML: Expected ']' at the end of a table declaration"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    told = problems(tmp_path, text)
    assert len(told) == 1
    if problem.endswith("mean"):
        problem = problem.removesuffix(", did you mean")
        assert told[0].startswith(problem)
    else:
        assert told == [problem]


def test_an_unknown_key_names_the_nearest_one_and_all(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, SOURCE + 'carier="stream"\n')
    assert problem.startswith("source[0].carier: unknown key, did you mean 'carrier'? (known: ")
    for key in Source.model_fields:
        assert key in problem
    [problem] = problems(tmp_path, SOURCE + "zzz=1\n")
    assert problem.startswith("source[0].zzz: unknown key (known: ")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = SOURCE + "extras=1\n" + SOURCE + "extras=2\n[feed]\nname=1\n[other]\n"
    told = problems(tmp_path, text)
    assert [problem.partition(":")[0] for problem in told] == [
        "other",
        "feed.name",
        "source[0].extras",
        "source[1].extras",
    ]


def test_a_file_may_begin_as_some_editors_begin_it(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SOURCE.encode())
    assert load(path).sources


def test_a_file_that_is_not_there_or_unreadable_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as caught:
        load(missing)
    strerror = os.strerror(2)
    assert caught.value.problems == [f"{missing}: cannot be read: {strerror}"]
    with pytest.raises(ConfigError, match="cannot be read: "):
        load(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b'a = "\xff"')
    with pytest.raises(ConfigError, match="is not UTF-8 at byte 5"):
        load(binary)


def test_a_section_made_in_python_fails_with_the_same_words() -> None:
    with pytest.raises(ConfigError, match=r"^carrier: is 'x', should be 'protocol', 'stream'"):
        Source(venue="a", channels=["trades"], symbols=["BTC"], carrier="x")  # type: ignore[arg-type]


def test_a_venue_may_be_an_object_that_declares_one() -> None:
    class Declared:
        name = "mine"
        channels = ()

    declared = Declared()
    source = Source(venue=declared, channels=["trades"], symbols=["BTC"])
    assert source.venue is declared


def test_a_problem_names_the_file_where_there_is_one() -> None:
    assert (
        Config(Feed(), (), (), "a.toml").problem("sink[0].name", "x") == "a.toml: sink[0].name: x"
    )
    assert Config(Feed(), ()).problem("sink[0].name", "x") == "sink[0].name: x"


def test_a_url_may_hold_a_secret_and_be_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_KEY", "nodeKeyZQ7x")
    path = tmp_path / "feeds.toml"
    path.write_text(
        SOURCE
        + 'rest_url = "https://h/{env:NODE_KEY}"\n'
        + 'url.public = "wss://h/{env:NODE_KEY}/ws"\nurl.market = "wss://other"\n'
    )
    [source] = load(path).sources
    assert source.url == {"public": "wss://h/nodeKeyZQ7x/ws", "market": "wss://other"}
    assert source.rest_url == "https://h/nodeKeyZQ7x"
    assert "nodeKeyZQ7x" not in repr(source)
    assert "wss://other" in repr(source)


def test_an_alert_s_command_has_a_program_and_its_webhook_is_not_shown() -> None:
    for words in ([], [""]):
        with pytest.raises(ConfigError, match="should be a program and its arguments"):
            AlertSettings(name="a", when="gaps_open > 0", command=words)
    webhook = "https://example.invalid/x?token=abcdef"
    alert = AlertSettings(name="a", when="gaps_open > 0", webhook=webhook)
    assert "example.invalid" in repr(alert)
    assert "abcdef" not in repr(alert)
