"""What happens to Hyperliquid's users: fills, orders, fundings, the ledger of their accounts.

Rules of this file
------------------
- No key is needed: everybody's account is public. A row's `symbol` is the user.
- The first message after a subscribe is a snapshot (`isSnapshot`) of what happened last, so that it
  comes again after every reconnect: each row is written once.
- `orderUpdates` name no user and have no snapshot, so each user has a connection of its own, and
  what happened while there was none is missing.
- The amount of a funding is what the user gets; that of an update of the ledger has no sign: its
  kind says which way it went.
"""

from __future__ import annotations

import re

from tickwire.decode.plan import (
    Message,
    Scalar,
    Test,
    absent,
    choice,
    constant,
    given,
    message,
    ms,
    present,
    rows,
    text,
    unlike,
)
from tickwire.schema import Column, Kind

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
SIDES: dict[Scalar, str | bool] = {"B": "buy", "A": "sell"}
TYPES = {
    "fills": "userFills",
    "orders": "orderUpdates",
    "fundings": "userFundings",
    "ledger": "userNonFundingLedgerUpdates",
}


def spell_user(user: str) -> str:
    """Give an address as the venue's messages have it."""
    if not _ADDRESS.fullmatch(user):
        raise ValueError("should be an address: 0x and 40 hexadecimal digits")
    return user.lower()


def _fills(name: str, *, is_snapshot: bool) -> Message:
    fills = rows(
        at="data.fills[]",
        into="fills",
        once=True,
        symbol="$.data.user",
        ts_event=ms("time"),
        instrument="coin",
        price="px",
        size="sz",
        side=choice("side", SIDES),
        trade_id=text("tid"),
        order_id=text("oid"),
        client_order_id=text("cloid"),
        is_taker="crossed",
        fee="fee",
        fee_currency="feeToken",
        closed_pnl="closedPnl",
        is_snapshot=constant(is_snapshot),
        direction="dir",
        start_position="startPosition",
        tx_hash="hash",
        builder_fee="builderFee",
        twap_id="twapId",
        liquidated_user="liquidation.liquidatedUser",
        liquidation_mark_price="liquidation.markPx",
        liquidation_method="liquidation.method",
    )
    return message(name, when=_when("userFills", is_snapshot), rows=[fills])


def _fundings(name: str, *, is_snapshot: bool) -> Message:
    fundings = rows(
        at="data.fundings[]",
        into="fundings",
        once=("time", "coin"),
        symbol="$.data.user",
        ts_event=ms("time"),
        instrument="coin",
        amount="usdc",
        size="szi",
        funding_rate="fundingRate",
        is_snapshot=constant(is_snapshot),
        n_samples="nSamples",
    )
    return message(name, when=_when("userFundings", is_snapshot), rows=[fundings])


def _ledger(name: str, *, is_snapshot: bool) -> Message:
    """An update says its value in one of three places, or not at all (`liquidation`)."""
    usdc, value, drawn = (f"delta.{key}" for key in ("usdc", "usdcValue", "netWithdrawnUsd"))
    conditions: list[tuple[str, dict[str, Scalar | Test]]] = [
        (usdc, {usdc: present()}),
        (value, {usdc: absent(), value: present()}),
        (drawn, {usdc: absent(), value: absent(), drawn: present()}),
        (usdc, {usdc: absent(), value: absent(), drawn: absent()}),
    ]
    updates = [
        rows(
            at="data.nonFundingLedgerUpdates[]",
            into="ledger",
            once=("time", "hash", "delta.type", "delta.token", usdc, "delta.amount"),
            when=when,
            symbol="$.data.user",
            ts_event=ms("time"),
            kind="delta.type",
            amount="delta.amount",
            usd_value=path,
            fee="delta.fee",
            currency="delta.token",
            tx_hash="hash",
            is_snapshot=constant(is_snapshot),
            user="delta.user",
            destination="delta.destination",
            vault="delta.vault",
            source_dex="delta.sourceDex",
            destination_dex="delta.destinationDex",
            to_perpetuals="delta.toPerp",
            account_value="delta.accountValue",
        )
        for path, when in conditions
    ]
    return message(name, when=_when(TYPES["ledger"], is_snapshot), rows=updates)


def _when(channel: str, is_snapshot: bool) -> dict[str, Scalar | Test]:
    # What is no snapshot says so, or says nothing.
    return {
        "channel": channel,
        "data.isSnapshot": True if is_snapshot else unlike(True),
    }


_ORDERS = rows(
    at="data[]",
    into="orders",
    symbol=given(),
    ts_event=ms("statusTimestamp"),
    instrument="order.coin",
    order_id=text("order.oid"),
    client_order_id=text("order.cloid"),
    side=choice("order.side", SIDES),
    price="order.limitPx",
    size="order.sz",
    original_size="order.origSz",
    status="status",
    ts_placed=ms("order.timestamp"),
)

USER_MESSAGES = (
    _fills("userFills snapshot", is_snapshot=True),
    _fills("userFills", is_snapshot=False),
    message("orderUpdates", when={"channel": "orderUpdates"}, rows=[_ORDERS]),
    _fundings("userFundings snapshot", is_snapshot=True),
    _fundings("userFundings", is_snapshot=False),
    _ledger("ledger snapshot", is_snapshot=True),
    _ledger("ledger", is_snapshot=False),
)


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TEXT, nullable=True, text_bytes=42) for name in names)


USER_EXTRAS = {
    "fills": (
        Column("direction", Kind.TEXT, nullable=True, text_bytes=16),
        Column("start_position", Kind.F64, nullable=True),
        Column("tx_hash", Kind.TEXT, nullable=True, text_bytes=66),
        Column("builder_fee", Kind.F64, nullable=True),
        Column("twap_id", Kind.I64, nullable=True),
        Column("liquidation_mark_price", Kind.F64, nullable=True),
        *_texts("liquidated_user", "liquidation_method"),
    ),
    "fundings": (Column("n_samples", Kind.I64, nullable=True),),
    "ledger": (
        *_texts("user", "destination", "vault", "source_dex", "destination_dex"),
        Column("to_perpetuals", Kind.BOOL, nullable=True),
        Column("account_value", Kind.F64, nullable=True),
    ),
}
