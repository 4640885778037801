"""A configuration against the venues: connections, tables, sinks, and mistakes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tickwire.config import Config, Feed, SeveritySettings, Source
from tickwire.decode.plan import integer
from tickwire.errors import ConfigError
from tickwire.feed.plan import checking
from tickwire.feed.plan.planning import load_whole, plan_feed
from tickwire.feed.plan.plans import FeedPlan
from tickwire.schema import SYSTEM_TABLES, Column, Kind
from tickwire.sinks import DuckDBSettings, IpcSettings, ParquetSettings
from tickwire.venues import load


def planned(*sources: Source, sinks: tuple[DuckDBSettings | IpcSettings, ...] = ()) -> FeedPlan:
    return plan_feed(Config(Feed(), sources, sinks, "feeds.toml"))


def problems(*sources: Source, sinks: tuple[DuckDBSettings | IpcSettings, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        planned(*sources, sinks=sinks)
    return caught.value.problems


def test_the_entry_points_of_a_venue_have_a_connection_each() -> None:
    plan = planned(
        Source(
            venue="binance-usdm",
            channels=["trades", "tickers", "book"],
            symbols=["BTCUSDT", "ETHUSDT"],
            url="ws://127.0.0.1:9001",
            rest_url="http://127.0.0.1:9002",
        )
    )
    [source] = plan.sources
    assert {connection.url for connection in source.connections} == {
        "ws://127.0.0.1:9001/public/stream",
        "ws://127.0.0.1:9001/market/stream",
    }
    assert source.rest_url == "http://127.0.0.1:9002"
    assert source.tables == ("trades", "book", "tickers")
    assert source.spliced == ("BTCUSDT", "ETHUSDT")
    assert list(plan.tables) == ["trades", "book", "tickers", *SYSTEM_TABLES]


def test_without_a_url_the_venue_s_own_is_taken() -> None:
    [source] = planned(Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])).sources
    [connection] = source.connections
    assert connection.url == "wss://api.hyperliquid.xyz/ws"
    assert source.spliced == ()


def test_books_that_look_alike_have_a_connection_each() -> None:
    [source] = planned(
        Source(venue="hyperliquid", channels=["book", "book:n5", "book:fast"], symbols=["BTC"])
    ).sources
    assert sorted(([s.channel for s in c.subscriptions], c.labels) for c in source.connections) == [
        (["book", "book:fast"], {}),
        (["book:n5"], {"book": "book:n5"}),
    ]


def test_extras_come_behind_a_table_s_own_columns() -> None:
    source = Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"], extras=True)
    names = [column.name for column in planned(source).tables["trades"].columns]
    assert names[-3:] == ["tx_hash", "buyer", "seller"]
    plain = planned(source.model_copy(update={"extras": False}))
    assert "tx_hash" not in [column.name for column in plain.tables["trades"].columns]


def test_extras_of_one_name_and_two_kinds_are_refused() -> None:
    known = load("hyperliquid")
    [trades] = (each for each in known.messages if each.name == "trades")
    fields = {name: field for name, field in trades.rows[0].fields.items() if name != "buyer"}
    fields = {name: field for name, field in fields.items() if name != "seller"}
    fields["tx_hash"] = integer("hash")
    venue = replace(
        known,
        name="mine",
        unverified=(),
        oracle=None,
        channels=tuple(channel for channel in known.channels if channel.name == "trades"),
        messages=(replace(trades, rows=(replace(trades.rows[0], fields=fields),)),),
        extras={"trades": (Column("tx_hash", Kind.I64, True),)},
    )
    kept: dict[str, Any] = {"channels": ["trades"], "symbols": ["BTC"], "extras": True}
    [problem] = problems(Source(venue="hyperliquid", **kept), Source(venue=venue, **kept))
    assert problem.startswith("feeds.toml: source[1].extras: column 'tx_hash' of trades is I64")
    assert "hyperliquid" in problem


def test_an_unknown_venue_lists_those_there_are() -> None:
    [problem] = problems(Source(venue="hyperliqid", channels=["trades"], symbols=["BTC"]))
    assert problem.startswith("feeds.toml: source[0].venue: ")
    assert "hyperliquid" in problem
    assert "binance-usdm" in problem


def test_a_channel_that_the_venue_lacks_lists_those_it_has() -> None:
    [problem] = problems(Source(venue="hyperliquid", channels=["liquidations"], symbols=["BTC"]))
    assert problem.startswith("feeds.toml: source[0].channels: ")
    assert "book:fast" in problem


def test_a_star_where_the_venue_cannot_is_refused() -> None:
    [problem] = problems(Source(venue="hyperliquid", channels=["trades"], symbols=["*"]))
    assert problem.startswith("feeds.toml: source[0].channels: ")


def test_sinks_have_names_of_their_own_and_known_tables(tmp_path: Path) -> None:
    source = Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    sinks = (
        DuckDBSettings(path=tmp_path / "a"),
        DuckDBSettings(path=tmp_path / "b", tables=("trade",)),
    )
    told = problems(source, sinks=sinks)
    assert told[0] == "feeds.toml: sink[1].name: is 'duckdb' like sink[0], should be unique"
    assert told[1].startswith(
        "feeds.toml: sink[1].tables: unknown table 'trade', did you mean 'trades'?: one of trades, "
    )


def test_two_sinks_do_not_share_a_target(tmp_path: Path) -> None:
    source = Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    sinks = (DuckDBSettings(path=tmp_path / "a"), IpcSettings(path=tmp_path / "a"))
    assert problems(source, sinks=sinks) == [
        f"feeds.toml: sink[1]: writes to '{tmp_path / 'a'}' like sink[0], "
        "should have its own target"
    ]


def test_a_file_of_certificates_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name, why in (("none.pem", "No such file"), ("empty.pem", "")):
        source = Source(
            venue="hyperliquid", channels=["trades"], symbols=["BTC"], ca_file=tmp_path / name
        )
        [problem] = problems(source)
        assert problem.startswith(f"feeds.toml: source[0].ca_file: {tmp_path / name} cannot be")
        assert why in problem


def test_a_sink_takes_what_is_fed_of_what_it_names(tmp_path: Path) -> None:
    source = Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    plan = plan_feed(
        Config(
            Feed(),
            (source,),
            (
                DuckDBSettings(path=tmp_path / "market.duckdb"),
                ParquetSettings(path=tmp_path / "data", tables=("quotes", "trades", "gaps")),
            ),
        )
    )
    assert plan.sinks[0].tables == ("trades", *SYSTEM_TABLES)
    assert plan.sinks[1].tables == ("trades", "gaps")


def test_all_mistakes_are_told_at_once() -> None:
    wrong = Source(venue="nowhere", channels=["trades"], symbols=["BTC"])
    lacking = Source(venue="hyperliquid", channels=["nothing"], symbols=["BTC"])
    assert [problem.split(": ")[1] for problem in problems(wrong, lacking)] == [
        "source[0].venue",
        "source[1].channels",
    ]


def test_all_mistakes_of_a_file_are_in_one_report(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(
        """
        [feed]
        loop = "twisted"
        [[source]]
        venue = "hyperliquid"
        channels = ["trades"]
        [[source]]
        venue = "hyperlikuid"
        channels = ["trades"]
        symbols = ["BTC"]
        [[source]]
        venue = "binance-usdm"
        channels = ["trade"]
        symbols = ["BTCUSDT"]
        url = "ws://h/stream"
        ca_file = "nowhere.pem"
        [[sink]]
        type = "duckd"
        path = "a"
        [[sink]]
        type = "ipc"
        path = "b"
        tables = ["trade"]
        """
    )
    with pytest.raises(ConfigError) as caught:
        load_whole(path)
    found = [line.removeprefix(f"{path}: ") for line in caught.value.problems]
    assert [line.partition(": ")[0] for line in found] == [
        "feed.loop",
        "sink[0].type",
        "source[0].symbols",
        "source[1].venue",
        "source[2].ca_file",
        "source[2].channels",
        "source[2].url",
        "sink[1].tables",
    ]
    assert "did you mean 'duckdb'?" in found[1]
    assert "did you mean 'hyperliquid'?" in found[3]
    assert "did you mean 'trades'?" in found[-1]


def test_a_file_without_a_source_that_can_be_read_is_reported_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text("[feed]\nring_rows = 5\n[[sink]]\ntype = 'ipc'\npath = 'b'\ntables = ['x']\n")
    with pytest.raises(ConfigError) as caught:
        load_whole(path)
    assert [line.split(": ")[1] for line in caught.value.problems] == ["feed.ring_rows", "source"]


HYPERLIQUID: dict[str, Any] = {
    "venue": "hyperliquid",
    "channels": ["trades"],
    "symbols": ["BTC"],
}


def test_an_object_that_is_no_venue_is_named() -> None:
    class Declared:
        name = "mine"
        channels = ()

    [problem] = problems(Source(**HYPERLIQUID | {"venue": Declared()}))
    assert "source[0].venue: is a Declared, should be a name or a " in problem


def test_a_venue_that_says_nothing_that_can_be_sent_is_told() -> None:
    def raising(subscriptions: Any, request_id: int) -> str:
        raise LookupError("no words")

    declared = load("hyperliquid")
    for subscribe, wrong in (
        (raising, "its subscribe raised LookupError: no words"),
        (lambda subscriptions, request_id: b"{}", "its subscribe gave b'{}', should give the text"),
    ):
        [problem] = problems(
            Source(**HYPERLIQUID | {"venue": replace(declared, subscribe=subscribe)})
        )
        assert f"source[0].venue: {wrong}" in problem


def test_symbols_that_no_dictionary_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "X" * 2000
    [problem] = problems(Source(**HYPERLIQUID | {"symbols": ["BTC", long]}))
    assert (
        f"source[0].symbols: has one of 2000 bytes, at most {checking.MAX_SYMBOL_BYTES}: '"
        in problem
    )
    assert long not in problem
    monkeypatch.setattr(checking, "MAX_SYMBOLS", 2)
    [problem] = problems(Source(**HYPERLIQUID | {"symbols": ["A", "B", "C"]}))
    assert "source.symbols: are 3 of 3 bytes over all sources, should be at most 2 of" in problem


def test_an_error_of_a_severity_that_is_none_is_told() -> None:
    severity = SeveritySettings(error="no_such_module_here:Error", severity="high")
    config = Config(Feed(), (Source(**HYPERLIQUID),), (), "feeds.toml", severities=(severity,))
    with pytest.raises(ConfigError) as caught:
        plan_feed(config)
    [problem] = caught.value.problems
    assert problem.startswith("feeds.toml: severity[0].error: ")
