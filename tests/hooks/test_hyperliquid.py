"""Hyperliquid's hook against an exchange on loopback, with a stand-in for the SDK and with the SDK.

The stand-in makes the same requests without signatures, so that what is tickwire's own is tested
everywhere; `make test-hyperliquid` runs the same tests with the SDK itself.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, until
from tests.hooks.exchange import Account, hyperliquid

import tickwire
from tickwire.errors import ConfigError, EmergencyShutdown, TickwireError
from tickwire.hooks.hyperliquid import Flatten
from tickwire.hooks.hyperliquid_worker import MOST_TRIGGERS, Triggers
from tickwire.supervise.emergency import EmergencyEvent

KEY = "0x" + "5e" * 31 + "77"
SDK = os.environ.get("TICKWIRE_HYPERLIQUID_PYTHON", "")
HERE = Path(__file__).parent
QUOTE = (
    b'{"channel":"bbo","data":{"coin":"%s","time":1700000000000,'
    b'"bbo":[{"px":"%d","sz":"1","n":1},{"px":"%d","sz":"1","n":1}]}}'
)
QUOTES = [QUOTE % (b"BTC", 99_000, 99_002), QUOTE % (b"ETH", 3_999, 4_001)]


@pytest.fixture(params=["stand-in", pytest.param("SDK", marks=pytest.mark.hyperliquid)])
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the interpreter that the worker runs in."""
    monkeypatch.setenv("HL_KEY", KEY)
    if request.param == "SDK":
        assert SDK, "make test-hyperliquid says where the SDK is"
        return SDK
    monkeypatch.setenv("PYTHONPATH", str(HERE / "fake_sdk"))
    return sys.executable


@pytest.fixture
def account() -> Iterator[Account]:
    """An account with three orders and three positions."""
    with hyperliquid() as served:
        yield served


def hook(account: Account, python: str, **options: Any) -> Flatten:
    given = {"key_env": "HL_KEY", "dry_run": False, "dead_man_s": 0.0} | options
    return Flatten(base_url=account.url, python=python, **given)


async def shut_down(
    made: Flatten,
    *,
    deadline_s: float = 20.0,
    while_it_runs: Callable[[tickwire.FeedHandler], Any] | None = None,
    **feed_keys: Any,
) -> tickwire.FeedHandler:
    """Run a feed that has quotes, and declare an emergency."""
    with exchange([QUOTES]) as server:
        quotes = source(server.ws_url, channels=["quotes"], symbols=["BTC", "ETH"])
        feed = tickwire.FeedHandler([quotes], **feed_keys)
        feed.on_emergency(made, deadline_s=deadline_s, name="flatten")
        running = asyncio.ensure_future(feed.run())
        await until(lambda: running.done() or (feed.has_run and feed.is_healthy))
        await until(lambda: running.done() or feed.summary()["rows"]["quotes"] == 2)
        if while_it_runs is not None:
            await while_it_runs(feed)
        feed.declare_emergency("a test")
        with pytest.raises(EmergencyShutdown):
            await running
    return feed


def outcome(feed: tickwire.FeedHandler) -> tuple[str, str]:
    [result] = feed.summary()["emergency"]["hooks"]
    return result["state"], result["report"]


async def test_orders_are_cancelled_and_positions_closed_until_flat(
    account: Account, python: str
) -> None:
    account.fills_at_most = 0.8  # ETH needs three orders, gold two
    account.refuses = {"BTC": 1}
    feed = await shut_down(hook(account, python))
    state, report = outcome(feed)
    assert state == "done", report
    assert account.orders == {"BTC": [], "xyz:GOLD": []}
    assert account.positions == {"BTC": 0.0, "ETH": 0.0, "xyz:GOLD": 0.0}
    assert report.startswith("3 orders cancelled, 0 left; positions left: none; filled ")
    assert "errors: close BTC: Order could not immediately match" in report
    orders = [order for action in account.of_type("order") for order in action["orders"]]
    sold = [float(order["p"]) for order in orders if order["a"] == 0]
    assert sold == [pytest.approx(99_001 * 0.95, rel=1e-4)] * 2  # the feed's price, not 100,000
    bought = [float(order["p"]) for order in orders if order["a"] == 1]
    assert bought == [pytest.approx(4_000 * 1.05, rel=1e-4)] * 3
    gold = [float(order["p"]) for order in orders if order["a"] == 110_000]
    assert gold == [pytest.approx(3_000 * 0.95, rel=1e-4)] * 2  # the feed has none: the exchange's
    assert "HL_KEY" not in str(account.requests)
    assert KEY[2:] not in str(account.requests)


async def test_a_refusal_is_reported_and_what_is_left_fails_the_hook(
    account: Account, python: str
) -> None:
    account.fails = True
    deadline_s = 15.0 if python == SDK else 4.0  # it signs in Python, for tenths of a second
    feed = await shut_down(hook(account, python), deadline_s=deadline_s)
    state, report = outcome(feed)
    assert state == "failed"
    assert "0 orders cancelled, 3 left; positions left: {'BTC': 0.5, 'ETH': -2.0" in report
    assert "cancel: Must deposit before performing actions." in report


async def test_a_dry_run_sends_nothing(account: Account, python: str) -> None:
    feed = await shut_down(hook(account, python, dry_run=True, dead_man_s=10.0))
    state, report = outcome(feed)
    assert state == "done"
    assert report.startswith("dry run, nothing was sent; 0 orders cancelled, 3 left; positions le")
    assert account.actions == []


async def test_only_the_coins_that_are_named(account: Account, python: str) -> None:
    feed = await shut_down(hook(account, python, coins=["ETH"]))
    assert outcome(feed)[0] == "done"
    assert account.orders == {"BTC": [1, 2], "xyz:GOLD": [7]}
    assert account.positions == {"BTC": 0.5, "ETH": 0.0, "xyz:GOLD": 1.0}


async def test_the_switch_is_armed_again_only_while_the_feed_is_healthy(
    account: Account, python: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tickwire.hooks.hyperliquid.ARMS_PER_TIME", 200)
    account.orders, account.positions = {}, {}

    async def watch(feed: tickwire.FeedHandler) -> None:
        await until(lambda: len(account.of_type("scheduleCancel")) > 2)
        monkeypatch.setattr(tickwire.FeedHandler, "is_healthy", False)
        await asyncio.sleep(0.2)
        n_armed = len(account.of_type("scheduleCancel"))
        await asyncio.sleep(0.3)
        assert len(account.of_type("scheduleCancel")) == n_armed

    with capture_logs() as logs:
        await shut_down(
            hook(account, python, dead_man_s=10.0), while_it_runs=watch, state_dir=tmp_path
        )
    times = [action.get("time") for action in account.of_type("scheduleCancel")]
    assert times[-1] is None  # flat: it would trigger for nothing
    assert all(each - time.time() * 1000 > 5_000 for each in times[:-1])
    events = [line["event"] for line in logs]
    assert "dead man's switch armed" in events
    assert "dead man's switch NOT armed again: the feed is not healthy" in events
    assert (tmp_path / "main-dead-man.json").exists()


async def test_a_stop_in_order_disarms_the_switch(account: Account, python: str) -> None:
    with exchange([QUOTES]) as server:
        quotes = source(server.ws_url, channels=["quotes"], symbols=["BTC", "ETH"])
        feed = tickwire.FeedHandler([quotes])
        feed.on_emergency(hook(account, python, dead_man_s=10.0))
        async with feed:
            await until(lambda: bool(account.of_type("scheduleCancel")))
    assert [action.get("time") for action in account.of_type("scheduleCancel")][-1] is None
    assert account.orders["BTC"] == [1, 2]


async def test_a_switch_is_disarmed_whose_arming_was_not_answered_yet(
    account: Account, python: str
) -> None:
    with exchange([QUOTES]) as server:
        quotes = source(server.ws_url, channels=["quotes"], symbols=["BTC", "ETH"])
        feed = tickwire.FeedHandler([quotes])
        feed.on_emergency(hook(account, python, dead_man_s=10.0))
        async with feed:
            account.answer_s = 0.5
            await until(lambda: bool(account.of_type("scheduleCancel")))
    assert [action.get("time") for action in account.of_type("scheduleCancel")][-1] is None


async def test_a_switch_that_was_not_renewed_is_disarmed_too(
    account: Account, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exchange([QUOTES]) as server:
        quotes = source(server.ws_url, channels=["quotes"], symbols=["BTC", "ETH"])
        feed = tickwire.FeedHandler([quotes])
        made = hook(account, python, dead_man_s=10.0)
        feed.on_emergency(made)
        async with feed:
            await until(lambda: made._is_armed)
            monkeypatch.setattr(tickwire.FeedHandler, "is_healthy", False)
            await until(lambda: not made._is_armed)
    assert [action.get("time") for action in account.of_type("scheduleCancel")][-1] is None


async def test_no_key_is_shown_anywhere(
    account: Account, python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = "0x" + "5e" * 30 + "zz"
    monkeypatch.setenv("HL_KEY", bad)
    made = hook(account, python)
    with exchange([QUOTES]) as server, capture_logs() as logs:
        feed = tickwire.FeedHandler([source(server.ws_url)])
        feed.on_emergency(made)
        with pytest.raises(TickwireError, match="open: ") as wrong:
            await feed.start()
    for text in (str(wrong.value), repr(wrong.value), repr(made), str(logs), str(vars(made))):
        assert bad[2:] not in text


async def test_a_process_that_cannot_begin_is_an_error_of_the_start(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HL_KEY", KEY)
    (tmp_path / "hyperliquid.py").write_text("raise ImportError('not installed here')")
    (tmp_path / "eth_account.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with exchange([QUOTES]) as server:
        feed = tickwire.FeedHandler([source(server.ws_url)])
        feed.on_emergency(hook(account, sys.executable))
        with pytest.raises(TickwireError, match="not installed here"):
            await feed.start()


@pytest.mark.parametrize(
    ("prepare", "wrong"),
    [
        (lambda path: path.write_text(KEY), "can be read by others"),
        (lambda path: None, "No such file"),
        (lambda path: path.touch(mode=0o600), "is no file, or empty"),
    ],
)
async def test_a_key_file_that_others_may_read_is_refused(
    tmp_path: Path, prepare: Callable[[Path], Any], wrong: str
) -> None:
    prepare(tmp_path / "key")
    made = Flatten(key_file=str(tmp_path / "key"), base_url="http://127.0.0.1:1")
    with pytest.raises(TickwireError, match=wrong):
        await made.start(None)


async def test_the_key_may_be_in_a_file(account: Account, python: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(KEY + "\n")
    account.orders, account.positions = {}, {}
    feed = await shut_down(hook(account, python, key_env="", key_file=str(path)))
    assert outcome(feed) == ("done", "0 orders cancelled, 0 left; positions left: none")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "key_env: give either key_env or key_file"),
        ({"key_env": "A", "key_file": "b"}, "key_env: give either key_env or key_file"),
        ({"key_env": "A", "slippage": 2.0}, "slippage: is 2.0, should be a share"),
        ({"key_env": "A", "dead_man_s": 5.0}, "dead_man_s: is 5.0, should be at least 10"),
        ({"key_env": "A", "base_url": "http://example.invalid"}, "base_url: should be mainnet"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Flatten(**options)


def test_triggers_are_counted_by_the_day_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "triggers.json"
    noon_ms = 20_000 * 86_400_000 + 43_200_000
    for n in range(1, MOST_TRIGGERS + 1):
        triggers = Triggers(path)
        triggers.armed(noon_ms + n * 1000)
        assert Triggers(path).count(noon_ms + n * 1000 - 1) == n - 1  # not yet
        assert Triggers(path).count(noon_ms + n * 1000) == n
    assert Triggers(path).count(noon_ms + 3_600_000) == MOST_TRIGGERS
    assert Triggers(path).count(noon_ms + 43_200_000) == 0  # the next day


async def test_no_more_triggers_than_the_exchange_allows(
    account: Account, python: str, tmp_path: Path
) -> None:
    today = int(time.time()) // 86_400
    (tmp_path / "main-dead-man.json").write_text(f"[{today}, {MOST_TRIGGERS}, 0]")

    async def watch(feed: tickwire.FeedHandler) -> None:
        await until(lambda: feed.summary()["dead_man_failures"] > 0)

    await shut_down(
        hook(account, python, dead_man_s=10.0, coins=["none"]),
        while_it_runs=watch,
        state_dir=tmp_path,
    )
    assert [action.get("time") for action in account.of_type("scheduleCancel")] == [None]


async def test_without_its_process_it_says_so(account: Account, python: str) -> None:
    made = hook(account, python)
    await made.stop()  # of a feed that never started
    with pytest.raises(TickwireError, match="the feed had not started it"):
        await made(EmergencyEvent("main", "a test", 0, 1.0))
    with pytest.raises(TickwireError, match="its process does not run"):
        await made._ask(1.0, "arm")


async def test_a_key_that_is_not_in_the_environment_is_named(
    account: Account, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_KEY", "")
    with pytest.raises(TickwireError, match=r"'HL_KEY' is not set, or empty"):
        await hook(account, python).start(None)


async def test_a_key_file_of_another_user_is_refused(
    account: Account, python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(KEY)
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.raises(TickwireError, match="belongs to another user"):
        await hook(account, python, key_env="", key_file=str(path)).start(None)


@pytest.mark.parametrize("is_seen", [False, True])
async def test_a_switch_that_cannot_be_disarmed_is_an_error_in_the_log(
    account: Account, python: str, is_seen: bool
) -> None:
    made = hook(account, python, dead_man_s=10.0)
    with exchange([QUOTES]) as server, capture_logs() as logs:
        feed = tickwire.FeedHandler([source(server.ws_url, channels=["quotes"])])
        feed.on_emergency(made)
        async with feed:
            await until(lambda: made._is_armed)
            assert made._process is not None
            made._process.kill()
            if is_seen:  # the pipe is closed: uvloop refuses to write
                await made._process.wait()
                await asyncio.sleep(0.05)
            await made.stop()  # before it is to be armed again, which would find out first
    [line] = [line for line in logs if "NOT disarmed" in line["event"]]
    assert line["log_level"] == "error"
    assert line["error"].startswith("disarm: its process has ")


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ("import sys; sys.stdin.readline(); print('no JSON', flush=True)", "has failed"),
        ("import time; time.sleep(60)", r"open: no answer in 0\.2 s"),
    ],
)
async def test_a_process_that_answers_nothing_of_use_is_an_error(
    account: Account, tmp_path: Path, program: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_KEY", KEY)
    made = hook(account, sys.executable)
    made._process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        with pytest.raises(TickwireError, match=wrong):
            await made._ask(10.0 if wrong == "has failed" else 0.2, "open")
    finally:
        await made.stop()
