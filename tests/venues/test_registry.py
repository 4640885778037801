"""Venues by name, channels and symbols to subscriptions, subscriptions to connections."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from tests.venues.own import OWN

import tickwire.venues
from tickwire.config import plugins
from tickwire.decode.program import Program
from tickwire.errors import ConfigError
from tickwire.schema import SYSTEM_TABLES, TABLES
from tickwire.venues import channel_names, connections, load, names, plan

NAMES = [
    "aster", "binance", "binance-coinm", "binance-us", "binance-usdm", "bitfinex", "bitget",
    "bitget-futures", "bitget-inverse", "bitget-usdc", "bybit", "bybit-inverse", "bybit-spot",
    "coinbase", "deribit", "gate", "gate-btc", "gate-futures", "hyperliquid",
    "hyperliquid-testnet", "kraken", "kraken-futures", "okx",
]  # fmt: skip


def test_names_lists_every_venue() -> None:
    assert names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_load_gives_the_venue_of_that_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", ["nyse", "binance-options", "base", "_binance", ""])
def test_an_unknown_venue_is_an_error_that_lists_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(name)
    [problem] = caught.value.problems
    asked, _, rest = problem.partition(": ")
    assert rest == f"one of {', '.join(NAMES)}, or your own as 'module:NAME'"
    assert asked.partition(", did you mean ")[0] == f"unknown venue {name!r}"


@pytest.mark.parametrize(
    ("name", "meant"), [("hyperlikuid", "hyperliquid"), ("binance-usd", "binance-usdm")]
)
def test_the_nearest_venue_is_named(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'\\?:"):
        load(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extras", [False, True])
def test_every_declaration_compiles(name: str, extras: bool) -> None:
    venue = load(name)
    tables = {
        table.name: table.with_extras(venue.extras.get(table.name, ())) if extras else table
        for table in TABLES.values()
        if table.name not in SYSTEM_TABLES
    }
    Program(name, venue.declared(extras=extras), tables)


def test_without_extras_no_row_names_a_column_of_the_venue() -> None:
    venue = load("hyperliquid")
    named = {
        (rows.into, column)
        for message in venue.declared(extras=False)
        for rows in message.rows
        for column in rows.fields
    }
    own = {(table, column.name) for table, columns in venue.extras.items() for column in columns}
    assert named.isdisjoint(own)
    assert ("trades", "price") in named


@pytest.mark.parametrize("name", NAMES)
def test_every_channel_name_is_a_channel_with_subscriptions(name: str) -> None:
    venue = load(name)
    for channel_name in channel_names(venue):
        channel = venue.channel(channel_name)
        named = {"symbols": (), "users": ["0x12"]} if channel.of_users else {"symbols": ["BTC"]}
        subscriptions = plan(venue, [channel_name], **named)
        assert subscriptions
        for subscription in subscriptions:
            assert subscription.channel == channel_name
            assert subscription.table == channel_name.partition(":")[0]
            assert subscription.table in TABLES
            assert subscription.endpoint in venue.endpoints


def test_problems_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(load("hyperliquid"), ["trade", "candles:7m", "quotes"], ["*"])
    trade, candles, quotes = caught.value.problems
    assert "no channel 'trade' (did you mean 'trades'?): it has trades, quotes, book" in trade
    assert "no channel 'candles:7m'" in candles
    assert "candles:1m" in candles
    assert quotes.startswith("hyperliquid: channel 'quotes' needs symbols; '*' is possible for ")
    assert quotes.endswith(" for tickers:fast, mids, mids:fast")


def test_channels_and_symbols_must_be_given() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(load("hyperliquid"), [], [])
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigError, match="empty symbol"):
        plan(load("hyperliquid"), ["trades"], ["BTC", " "])


def test_two_incremental_books_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="'book' and 'book:1000ms' exclude each other"):
        plan(load("binance"), ["book", "trades", "book:1000ms"], ["BTCUSDT"])
    assert len(plan(load("binance"), ["book", "book:5", "book:20"], ["BTCUSDT"])) == 3


def test_a_subscription_is_asked_for_once() -> None:
    mids = plan(load("hyperliquid"), ["mids", "mids"], ["BTC", "ETH", "BTC"])
    assert [subscription.key for subscription in mids] == ['{"type":"allMids"}']
    trades = plan(load("binance"), ["trades"], ["BTCUSDT", "BTCUSDT", "ETHUSDT"])
    assert [subscription.key for subscription in trades] == ["btcusdt@trade", "ethusdt@trade"]


def test_connections_keep_endpoints_groups_and_limits_apart() -> None:
    venue = load("hyperliquid")
    subscriptions = plan(
        venue, ["trades", "book", "book:fast", "book:n5", "book:n5m2"], ["BTC", "ETH"]
    )
    divided = connections(venue, subscriptions)
    assert [len(connection) for connection in divided] == [6, 2, 2]
    assert {subscription.group for subscription in divided[0]} == {""}
    assert {each.channel for each in divided[0]} == {"trades", "book", "book:fast"}
    assert {subscription.labels for subscription in divided[1]} == {(("book", "book:n5"),)}
    assert {subscription.labels for subscription in divided[2]} == {(("book", "book:n5m2"),)}
    candles = plan(venue, ["candles:1m", "candles:5m", "quotes"], ["BTC"])
    assert [len(connection) for connection in connections(venue, candles)] == [3]

    venue = load("binance-usdm")
    divided = connections(venue, plan(venue, ["trades", "book", "tickers"], ["BTCUSDT"]))
    assert [{s.endpoint for s in connection} for connection in divided] == [{"public"}, {"market"}]

    few = replace(venue, limits=replace(venue.limits, subscriptions_per_connection=2))
    symbols = ["BTCUSDT", "ETHUSDT", "XRPUSDT", "BNBUSDT", "SOLUSDT"]
    divided = connections(few, plan(few, ["trades"], symbols))
    assert [len(connection) for connection in divided] == [2, 2, 1]
    assert [s.symbol for connection in divided for s in connection] == symbols


@pytest.fixture
def path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def test_a_venue_of_one_s_own_is_named_by_module_and_name(tmp_path: Path, path: None) -> None:
    assert load("tests.venues.own:OWN") is OWN
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "neighbour.py").write_text("from tests.venues.own import declare\n")
    (package / "venue.py").write_text(
        "from own_package.neighbour import declare\nMINE = declare(name='mine')\n"
    )
    with pytest.raises(ConfigError, match="no module 'own_package' is installed"):
        load("own_package.venue:MINE")
    assert load("own_package.venue:MINE", [tmp_path]).name == "mine"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (":OWN", "is ':OWN', should be the name of a venue or 'package.module:NAME'"),
        ("tests.venues.own:", "is 'tests.venues.own:', should be"),
        ("a-b:OWN", "is 'a-b:OWN', should be"),
        ("no_such_module_at_all:X", "no module 'no_such_module_at_all' is installed, nor in "),
        ("tests.no_such:X", "no module 'tests.no_such' is installed, nor in "),
        ("tests.venues.own:OWNN", "tests.venues.own has no 'OWNN': it has OWN"),
        ("tests.venues.own:NOT_A_VENUE", "is a int, should be a tickwire.venues.base.Venue"),
        ("broken_venue:X", "cannot be imported: PlanError: own: subscribe: should be a function"),
        ("lacking_venue:X", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_what_is_wrong_with_it_is_told_in_a_line(
    tmp_path: Path, path: None, name: str, problem: str
) -> None:
    (tmp_path / "broken_venue.py").write_text(
        "from tests.venues.own import declare\nX = declare(subscribe=None)\n"
    )
    (tmp_path / "lacking_venue.py").write_text("import nowhere\n")
    with pytest.raises(ConfigError) as caught:
        load(name, [tmp_path])
    assert problem in caught.value.problems[0]


def offer(monkeypatch: pytest.MonkeyPatch, *places: tuple[str, str]) -> None:
    points = [EntryPoint(name, value, "tickwire.venues") for name, value in places]

    def installed(group: str, _path: tuple[str, ...]) -> EntryPoints:
        return EntryPoints(each for each in points if each.group == group)

    monkeypatch.setattr(plugins, "_installed", installed)


def test_an_installed_package_offers_a_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    own, none = "tests.venues.own:OWN", "tests.venues.own:NOT_A_VENUE"
    offer(monkeypatch, ("own", own), ("other", own), ("none", none), ("lost", "nowhere:X"))
    assert load("own") is OWN
    assert names() == sorted([*NAMES, "own", "other", "none", "lost"])
    for name, problem in (
        ("other", "venue 'other': its package declares it as 'own', should be the same"),
        ("none", "venue 'none': its package gives a int, should be a tickwire.venues.Venue"),
        ("lost", "venue 'lost': cannot be loaded from nowhere:X: ModuleNotFoundError: No module"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(name)
        assert problem in caught.value.problems[0]
    offer(monkeypatch, ("own", own), ("own", none))
    with pytest.raises(ConfigError, match="venue 'own': stands for several objects"):
        load("own")


def test_a_symbol_of_binance_is_spelled_as_its_rows_have_it() -> None:
    # Streams are asked for in lower case, so that it would subscribe, and then give no rows.
    with pytest.raises(ConfigError, match=r"'btcusdt' should be .* spells it, 'BTCUSDT'"):
        plan(load("binance"), ["trades"], ["btcusdt"])


# What declarations share; every other file is a venue's own.
SHARED = {"__init__", "base", "_book_checks", "_book_rule", "_checks", "_fields", "_instrument"} | {
    "_oracle", "_planning", "_registry",
}  # fmt: skip


def test_a_file_of_a_venue_reads_like_a_page_of_its_documentation() -> None:
    room = Path(tickwire.venues.__file__).parent
    files = [each for each in room.rglob("*.py") if each.parent != room or each.stem not in SHARED]
    assert len(files) > 40
    long = {
        each.name: n_lines
        for each in files
        if (n_lines := len(each.read_text(encoding="utf-8").splitlines())) > 120
    }
    assert long == {}
