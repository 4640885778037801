"""A replay or run that came to nothing says so; under `--strict` it fails."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.program import (
    Program,
    command,
    ended,
    environment,
    from_duckdb,
    source,
    started,
    tickwire,
    write_config,
)

TRADE = (
    '{"channel":"trades","data":[{"coin":"%s","side":"B","px":"1.5","sz":"2","time":1700000000000,'
    '"hash":"0x0","tid":%d,"users":["0x1","0x2"]}]}'
)
OTHER = '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":%d}}'


def capture(folder: Path, *lines: str) -> Path:
    path = folder / "day.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def trades(n: int, coin: str = "BTC") -> list[str]:
    return [TRADE % (coin, number) for number in range(n)]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([OTHER % n for n in range(250)], "nothing was decoded of 250 messages: 250 unknown"),
        (["junk"], "nothing was decoded of 1 message: 1 message that could not be decoded"),
        (["junk"] * 40, "nothing was decoded of 40 messages: 40 messages that could not be"),
        ([], "no message came"),
        ([*trades(97), *[OTHER % n for n in range(3)]], "3 of 100 messages (3.0%) are unknown"),
        ([*trades(97), "{", "{", "{"], "3 of 100 messages (3.0%) could not be decoded"),
        (trades(5, "ETH"), "nothing was decoded of 5 messages: 5 rows of symbols that are not"),
    ],
    ids=["another venue's", "one", "junk", "empty", "unknown", "broken", "not configured"],
)
def test_a_replay_that_decodes_little_says_so(
    tmp_path: Path, lines: list[str], problem: str
) -> None:
    path, config = capture(tmp_path, *lines), write_config(tmp_path, source(), sinks="")
    done = tickwire("replay", path, config)
    assert done.returncode == 0
    # A message that cannot be read is a line, and a gap; an unknown kind is a line, once.
    of_messages = ("event=gap ", 'event="gap open"', 'event="not decoded"', "drift=unknown")
    told = [line for line in done.stderr.splitlines() if not any(e in line for e in of_messages)]
    totals, *warnings = told
    assert f"event=replayed capture=day.jsonl messages={len(lines)} " in totals
    assert len(warnings) == 1
    assert "level=warning" in warnings[0]
    assert problem in warnings[0]
    done = tickwire("replay", path, config, "--strict")
    assert done.returncode == 1
    assert f"tickwire: --strict: {problem}" in done.stderr.splitlines()[-1]


def test_a_good_replay_ends_with_its_totals_and_is_strict(tmp_path: Path) -> None:
    path = capture(tmp_path, *trades(199), OTHER % 1)
    config = write_config(tmp_path, source(), sinks="")
    done = tickwire("replay", path, config, "--strict")
    assert done.returncode == 0
    drift, line = done.stderr.splitlines()
    assert "drift=unknown" in drift
    assert "messages=200 unknown=1 errors=0" in line
    assert "rows=199 rows_trades=199" in line


def test_a_message_that_another_source_knows_is_not_unknown(tmp_path: Path) -> None:
    spot = {"venue": "binance", "channels": ["quotes"], "symbols": ["BTCUSDT"]}
    quote = (
        '{"stream":"btcusdt@bookTicker","data":{"u":%d,"s":"BTCUSDT","b":"1","B":"1","a":"2",'
        '"A":"1"}}'
    )
    path = capture(tmp_path, *trades(100), *[quote % n for n in range(100)])
    done = tickwire("replay", path, write_config(tmp_path, source(), spot, sinks=""), "--strict")
    assert done.returncode == 0, done.stderr
    assert "messages=200 unknown=0 " in done.stderr


def test_sources_that_share_a_connection_each_have_their_streams(tmp_path: Path) -> None:
    path = capture(tmp_path, *trades(100), *trades(100, "ETH"))
    each = [source(symbols=[symbol]) for symbol in ("BTC", "ETH")]
    done = tickwire("replay", path, write_config(tmp_path, *each, sinks=""), "--strict")
    assert done.returncode == 0, done.stderr
    each.append(source(symbols=["SOL"]))
    done = tickwire("replay", path, write_config(tmp_path, *each, sinks=""), "--strict")
    assert done.stderr.splitlines()[-1].endswith("--strict: no message: trades of hyperliquid SOL")


def test_a_stream_without_a_row_is_named(tmp_path: Path) -> None:
    path = capture(tmp_path, *trades(10))
    config = write_config(tmp_path, source(symbols=["BTC", "ETH"]), sinks="")
    assert tickwire("replay", path, config).stderr.count("\n") == 1
    done = tickwire("replay", path, config, "--strict")
    assert done.returncode == 1
    problem = "tickwire: --strict: no message: trades of hyperliquid ETH"
    assert done.stderr.splitlines()[-1] == problem


def test_rows_that_are_not_configured_are_counted(tmp_path: Path) -> None:
    path = capture(tmp_path, *trades(10), *trades(7, "ETH"))
    done = tickwire("replay", path, write_config(tmp_path, source()), "--summary", "-")
    summary = json.loads(done.stdout)
    assert summary["rows"]["trades"] == 10
    assert summary["unconfigured_rows"] == {"trades": 7}
    assert "unconfigured_rows=7" in done.stderr
    assert {*from_duckdb(tmp_path, "trades")["symbol"].to_pylist()} == {"BTC"}


def test_an_interrupted_replay_says_how_far_it_got(tmp_path: Path) -> None:
    path = capture(tmp_path, *trades(100))
    times = "".join(f"{10**18 + number * 10**8}\n" for number in range(100))
    path.with_name("day.meta.tsv").write_text("# recv_ns\n" + times)
    config = write_config(tmp_path, source())
    for options, code in (((), 0), (("--strict",), 1)):
        (tmp_path / "market.duckdb").unlink(missing_ok=True)
        replaying = started("replay", path, config, "--speed", "1", *options)
        wait_for_sink(tmp_path)
        replaying.send_signal(signal.SIGINT)
        _, stderr = replaying.communicate(timeout=30)
        assert replaying.returncode == code, stderr
        found = re.search(r"interrupted after (\d+)( of 100)? messages", stderr)
        assert found is not None, stderr
        assert int(found[1]) < 100
        assert stderr.count("interrupted") == 1 + code


class Exchange:
    """A simulated exchange."""

    def __init__(self, running: Program) -> None:
        self.running = running
        self.url = running.stdout.readline().strip().removeprefix("ws=")
        self.rest_url = running.stdout.readline().strip().removeprefix("rest=")

    def wait_for_subscription(self) -> None:
        """Wait until a feed has subscribed, and a little for rows; it handles signals then."""
        for line in self.running.stderr:
            if "client subscribed" in line:
                break
        time.sleep(0.3)


@contextmanager
def simulator(*options: object) -> Iterator[Exchange]:
    with started("sim", "--port", "0", *options) as running:
        try:
            yield Exchange(running)
        finally:
            running.terminate()
            running.communicate(timeout=30)


def wait_for_sink(folder: Path) -> None:
    """Wait until a feed has opened its sinks, and a little for rows; it handles signals then."""
    until_s = time.monotonic() + 60
    while not (folder / "market.duckdb").exists():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    time.sleep(1)


@pytest.mark.parametrize(
    ("symbols", "problem"),
    [(["BTC"], ""), (["BTC", "NONE"], "no message: trades of hyperliquid NONE")],
)
def test_a_strict_run(tmp_path: Path, symbols: list[str], problem: str) -> None:
    with simulator("--symbols", "BTC", "--channels", "trades") as exchange:
        config = write_config(tmp_path, source(symbols=symbols, url=exchange.url))
        done = tickwire("run", config, "--max-messages", "20", "--strict")
    assert done.returncode == (1 if problem else 0), done.stderr
    assert problem in done.stderr


def test_a_source_that_never_connected_is_named_beside_one_that_did(tmp_path: Path) -> None:
    with simulator("--symbols", "BTC", "--channels", "trades") as exchange:
        dead = source(symbols=["ETH"], url="ws://127.0.0.1:9")
        config = write_config(tmp_path, source(symbols=["BTC"], url=exchange.url), dead)
        summary = tmp_path / "summary.json"
        done = tickwire("run", config, "--duration", 2, "--strict", "--summary", summary)
    [told] = json.loads(summary.read_text())["never_connected"]
    assert re.fullmatch(r"hyperliquid: ws://127\.0\.0\.1:9/ws: .*refused.*", told)
    assert done.returncode == 1
    assert f"never connected: {told}" in done.stderr.splitlines()[-1]


def test_an_unknown_symbol_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    options = ("--venue", "binance", "--symbols", "BTCUSDT", "--channels", "trades")
    problem = "source[0].symbols: binance has no 'BTC_USDT', did you mean 'BTCUSDT'?"
    with simulator(*options) as exchange:
        urls = {"venue": "binance", "url": exchange.url, "rest_url": exchange.rest_url}
        config = write_config(tmp_path, source(symbols=["BTC_USDT"], **urls), sinks="")
        done = tickwire("run", config, "--duration", "20")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == f"tickwire: {problem}"
        assert tickwire("check", config).returncode == 0
        done = tickwire("check", config, "--online")
        assert done.returncode == 2
        assert problem in done.stderr
        config = write_config(tmp_path, source(symbols=["BTCUSDT"], **urls), sinks="")
        done = tickwire("check", config, "--online")
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == "symbols: looked up for 1 of 1 sources"


def test_a_run_without_a_message_warns(tmp_path: Path) -> None:
    with simulator("--symbols", "ETH", "--channels", "trades") as exchange:
        config = write_config(tmp_path, source(channels=["quotes"], url=exchange.url))
        done = tickwire("run", config, "--duration", "1")
    assert "no message came" in done.stderr or "refused" in done.stderr, done.stderr


@pytest.mark.parametrize("verb", ["run", "replay"])
def test_a_summary_that_is_a_folder_is_refused_before_the_start(tmp_path: Path, verb: str) -> None:
    config = write_config(tmp_path, source(url="ws://127.0.0.1:9"))
    arguments = [capture(tmp_path, *trades(1)), config] if verb == "replay" else [config]
    done = tickwire(verb, *arguments, "--summary", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"tickwire: --summary {tmp_path}: is a folder, should be a file\n"
    assert not (tmp_path / "market.duckdb").exists()


def test_a_hang_up_drains_as_a_termination_does(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    with simulator("--symbols", "BTC", "--channels", "trades") as exchange:
        config = write_config(tmp_path, source(url=exchange.url))
        feed = started("run", config, "--summary", summary)
        exchange.wait_for_subscription()
        feed.send_signal(signal.SIGHUP)
        feed.send_signal(signal.SIGHUP)  # a shell hangs up as well as the terminal
        _, stderr = feed.communicate(timeout=30)
    assert feed.returncode == 0, stderr
    assert "why=SIGHUP" in stderr
    found = json.loads(summary.read_text())
    assert found["rows"]["trades"] > 0
    assert found["rows_committed"]["duckdb"]["trades"] == found["rows"]["trades"]


def test_a_terminal_that_closes_loses_no_rows(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    master, terminal = pty.openpty()
    with simulator("--symbols", "BTC", "--channels", "trades") as exchange:
        config = write_config(tmp_path, source(url=exchange.url))
        feed = subprocess.Popen(  # noqa: S603 - our own program
            command("run", config, "--summary", summary),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment() | {"TERM": "xterm"},
            start_new_session=True,
        )
        os.close(terminal)
        with ended(feed):
            exchange.wait_for_subscription()
            os.close(master)
            feed.send_signal(signal.SIGHUP)
            assert feed.wait(30) == 0
    found = json.loads(summary.read_text())
    assert found["rows_committed"]["duckdb"]["trades"] == found["rows"]["trades"] > 0
