"""Hyperliquid's users: fills, orders, fundings and ledger, each row once, and what is refused."""

import json
import random
from typing import Any

import pytest
from tests.reference import disguise
from tests.reference.rig import Rig

import tickwire
from tickwire.config import Config, Feed
from tickwire.errors import ConfigError
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.plans import FeedPlan
from tickwire.venues import connections, load, plan

VENUE = load("hyperliquid")
USERS = tuple(f"0x{number:040x}" for number in range(1, 12))
USER, OTHER = USERS[0], USERS[10]
TABLES = ["fills", "orders", "fundings", "ledger"]

# Verbatim but for the addresses and hashes: a fill by liquidation.
FILL = {
    "coin": "BTC", "px": "66653.0", "sz": "0.001", "side": "A", "time": 1781528065899,
    "startPosition": "-0.0213", "dir": "Open Short", "closedPnl": "0.0", "hash": "0xaa",
    "oid": 55030848197, "crossed": False, "fee": "0.009997", "tid": 745210434703679,
    "cloid": "0x12",
    "liquidation": {"liquidatedUser": "0xbb", "markPx": "66607.0", "method": "market"},
    "feeToken": "USDC", "twapId": None,
}  # fmt: skip
FUNDING = {
    "time": 1681222254710, "coin": "ETH", "usdc": "-3.625312", "szi": "49.1477",
    "fundingRate": "0.0000417", "nSamples": None,
}  # fmt: skip
ORDER = {
    "order": {
        "coin": "kPEPE", "side": "B", "limitPx": "0.012", "sz": "0.0", "oid": 91490942,
        "timestamp": 1681247412573, "origSz": "5.0", "cloid": None,
    },
    "status": "filled", "statusTimestamp": 1681247412600,
}  # fmt: skip


class Users:
    """A decoder of users' tables."""

    def __init__(self, users: tuple[str, ...] = (USER,), *, extras: bool = False) -> None:
        self.rig = Rig.of(VENUE, TABLES, users, extras=extras)
        self.conns: dict[int, Any] = {}

    def send(self, channel: str, data: Any, *, conn: int = 5, change: random.Random | None = None):
        payload = json.dumps({"channel": channel, "data": data}, separators=(",", ":")).encode()
        if change is not None:
            payload = disguise(payload, change.random(), escape=True, unknown=True)
        self.rig.message(payload, 1000, conn)

    def fills(self, *fills: Any, user: str = USER, snapshot: bool = False, **options: Any) -> None:
        self.send("userFills", _said(snapshot, user, "fills", fills), **options)

    def fundings(self, *rows: Any, snapshot: bool = False, **options: Any) -> None:
        self.send("userFundings", _said(snapshot, USER, "fundings", rows), **options)

    def ledger(self, *rows: Any, snapshot: bool = False, **options: Any) -> None:
        data = _said(snapshot, USER, "nonFundingLedgerUpdates", rows)
        self.send("userNonFundingLedgerUpdates", data, **options)

    def table(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        rows = self.rig.table(name).to_pylist()
        return [tuple(row[column] for column in columns) for row in rows]


def _said(is_snapshot: bool, user: str, member: str, rows: Any) -> dict[str, Any]:
    flag = {"isSnapshot": True} if is_snapshot else {}
    return flag | {"user": user, member: list(rows)}


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_fill_has_all_that_the_venue_says(seed: int | None) -> None:
    feed = Users(extras=True)
    change = None if seed is None else random.Random(seed)
    feed.fills(FILL, snapshot=True, change=change)
    [row] = feed.rig.table("fills").to_pylist()
    assert row["ts_event"].timestamp() == 1781528065.899
    common = ("seq", "venue", "ts_event", "ts_recv", "conn")
    assert {key: value for key, value in row.items() if key not in common} == {
        "symbol": USER, "instrument": "BTC", "price": 66653.0, "size": 0.001, "side": "sell",
        "trade_id": "745210434703679", "order_id": "55030848197", "client_order_id": "0x12",
        "is_taker": False, "fee": 0.009997, "fee_currency": "USDC", "closed_pnl": 0.0,
        "is_snapshot": True, "direction": "Open Short", "start_position": -0.0213,
        "tx_hash": "0xaa", "builder_fee": None, "twap_id": None, "liquidated_user": "0xbb",
        "liquidation_mark_price": 66607.0, "liquidation_method": "market",
    }  # fmt: skip


def test_what_a_snapshot_repeats_is_written_once_for_each_user() -> None:
    feed = Users((USER, OTHER))
    older, newer = FILL, FILL | {"tid": 7}
    feed.fills(older)
    feed.fills(older, newer, snapshot=True, conn=6)
    feed.fills(older, user=OTHER, conn=6)  # the other side of the same trade
    feed.fills(newer, older, snapshot=True, conn=7)
    assert feed.table("fills", "symbol", "trade_id", "is_snapshot") == [
        (USER, "745210434703679", False),
        (USER, "7", True),
        (OTHER, "745210434703679", False),
    ]
    assert feed.rig.decoder.duplicate_trades == 3
    assert feed.rig.decoder.conflicting_trades == 0


def test_fundings_have_no_id_and_are_written_once_by_time_and_coin() -> None:
    feed = Users(extras=True)
    hour_later = FUNDING | {"time": FUNDING["time"] + 3_600_000, "nSamples": 24}
    feed.fundings(hour_later, FUNDING, snapshot=True)
    feed.fundings(FUNDING | {"coin": "BTC"}, conn=6)
    feed.fundings(FUNDING | {"coin": "BTC"}, hour_later, FUNDING, snapshot=True, conn=7)
    columns = ("instrument", "amount", "size", "funding_rate", "n_samples", "is_snapshot")
    assert feed.table("fundings", *columns) == [
        ("ETH", -3.625312, 49.1477, 0.0000417, 24, True),
        ("ETH", -3.625312, 49.1477, 0.0000417, None, True),
        ("BTC", -3.625312, 49.1477, 0.0000417, None, False),
    ]


UPDATES = [
    ({"type": "deposit", "usdc": "100.5"}, (None, 100.5, None, None)),
    ({"type": "withdraw", "usdc": "9", "nonce": 1, "fee": "1.0"}, (None, 9.0, 1.0, None)),
    (
        {"type": "spotTransfer", "token": "HYPE", "amount": "3", "usdcValue": "99.0",
         "user": USER, "destination": OTHER, "fee": "0.1", "nativeTokenFee": "0.0"},
        (3.0, 99.0, 0.1, "HYPE"),
    ),
    (
        {"type": "send", "user": USER, "destination": OTHER, "sourceDex": "", "amount": "4",
         "destinationDex": "xyz", "token": "USDC", "usdcValue": "4.0", "fee": "0", "nonce": 5},
        (4.0, 4.0, 0.0, "USDC"),
    ),
    (
        {"type": "vaultWithdraw", "vault": OTHER, "user": USER, "requestedUsd": "8",
         "commission": "0.0", "closingCost": "0.0", "basis": "7", "netWithdrawnUsd": "7.5"},
        (None, 7.5, None, None),
    ),
    (
        {"type": "liquidation", "accountValue": "12.5", "leverageType": "Cross",
         "liquidatedPositions": [{"coin": "BTC", "szi": "1.0"}]},
        (None, None, None, None),
    ),
    ({"type": "spotGenesis", "token": "PURR", "amount": "2"}, (2.0, None, None, "PURR")),
    ({"type": "accountClassTransfer", "usdc": "5", "toPerp": True}, (None, 5.0, None, None)),
    ({"type": "of tomorrow", "else": {"x": [1]}}, (None, None, None, None)),
]  # fmt: skip


def test_every_kind_of_ledger_update_is_a_row_and_none_is_written_twice() -> None:
    feed = Users(extras=True)
    # Of one block and transaction, so that their content alone tells them apart.
    updates = [{"time": 1, "hash": "0x" + "00" * 32, "delta": delta} for delta, _ in UPDATES]
    feed.ledger(*updates, snapshot=True)
    feed.ledger(*updates, updates[0] | {"time": 2}, conn=6)
    rows = feed.table("ledger", "kind", "amount", "usd_value", "fee", "currency", "is_snapshot")
    expected = [(delta["type"], *values, True) for delta, values in UPDATES]
    assert rows == [*expected, ("deposit", None, 100.5, None, None, False)]
    own = feed.table("ledger", "user", "destination", "vault", "to_perpetuals", "account_value")
    assert own[3] == (USER, OTHER, None, None, None)
    assert own[4:6] == [(USER, None, OTHER, None, None), (None, None, None, None, 12.5)]
    assert own[7][3] is True
    assert not feed.rig.decoder.errors


def test_orders_are_those_of_the_connection_s_user() -> None:
    feed = Users((USER, OTHER))
    decoder = feed.rig.decoder
    payload = json.dumps({"channel": "orderUpdates", "data": [ORDER, ORDER]}).encode()
    for conn, user in enumerate((USER, OTHER, None)):
        assert decoder.connection(conn, symbol=user).decode(payload, 1000)
    # A connection that has a user gives it to nothing of another one.
    assert decoder.connection(9).decode(payload, 1000)
    rows = feed.table(
        "orders", "symbol", "instrument", "order_id", "client_order_id", "side", "price", "size",
        "original_size", "status",
    )  # fmt: skip
    row = ("kPEPE", "91490942", None, "buy", 0.012, 0.0, 5.0, "filled")
    assert rows == [(user, *row) for user in (USER, USER, OTHER, OTHER)]
    assert decoder.errors == {"missing": 2}
    [placed, changed] = feed.table("orders", "ts_placed", "ts_event")[0]
    assert (changed - placed).total_seconds() == 0.027


def test_a_user_that_is_not_configured_gives_no_rows() -> None:
    feed = Users()
    feed.fills(FILL, user=OTHER)
    assert feed.table("fills", "symbol") == []
    assert feed.rig.decoder.unconfigured_rows == {"fills": 1}


def test_what_cannot_be_decoded_is_remembered_by_no_id() -> None:
    feed = Users()
    feed.fundings(FUNDING, FUNDING | {"coin": "BTC", "usdc": "x"})
    feed.ledger({"time": 1, "hash": "0x1", "delta": {"type": "deposit", "usdc": "1"}}, {"time": 2})
    assert feed.rig.decoder.errors == {"bad_number": 1, "missing": 1}
    feed.fundings(FUNDING)
    feed.ledger({"time": 1, "hash": "0x1", "delta": {"type": "deposit", "usdc": "1"}})
    assert len(feed.table("fundings", "seq")) == len(feed.table("ledger", "seq")) == 1


def test_each_user_s_orders_have_a_connection_and_the_rest_share_one() -> None:
    channels = ["trades", *TABLES]
    found = connections(VENUE, plan(VENUE, channels, ["BTC"], USERS[:2]))
    assert [[(each.channel, each.symbol) for each in one] for one in found] == [
        [
            ("trades", "BTC"),
            *[(name, user) for name in ("fills", "fundings", "ledger") for user in USERS[:2]],
        ],
        [("orders", USERS[0])],
        [("orders", USERS[1])],
    ]
    text = VENUE.subscribe([found[0][1]], 1)
    assert text.endswith(f'{{"type":"userFills","user":"{USER}"}}}}')


def test_users_alone_need_no_symbols_and_are_spelled_as_the_venue_does() -> None:
    user = "0x" + "aB" * 20
    [source] = planned(venue="hyperliquid", channels=["fills"], users=[user]).sources
    assert source.settings.users == source.symbols == (user.lower(),)
    assert source.tables == ("fills",)


def planned(**keys: Any) -> FeedPlan:
    return plan_feed(Config(Feed(), (tickwire.Source(**keys),), (), "feeds.toml"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"channels": ["fills"]}, "channel 'fills' needs users"),
        ({"channels": ["trades"], "symbols": ["BTC"], "users": [USER]}, "users are for channels"),
        ({"channels": ["trades"], "users": [USER]}, "no symbols given"),
        ({"channels": ["fills"], "users": ["0x12"]}, "should be an address: 0x and 40"),
        ({"channels": ["fills"], "users": [USER, USER]}, "more than once"),
        ({"channels": ["fills"], "users": list(USERS)}, "users: are 11 at hyperliquid"),
        ({"venue": "okx", "channels": ["trades"], "symbols": ["A"], "users": [USER]}, "it lacks"),
    ],
)
def test_a_wrong_user_is_an_error_that_says_so(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        planned(**{"venue": "hyperliquid"} | keys)
