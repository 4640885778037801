"""What happens to Hyperliquid's users: fills and orders; `accounts` has the rest.

Rules of this file
------------------
- No key is needed: everybody's account is public. A row's `symbol` is the user.
- The first message after a subscribe is a snapshot (`isSnapshot`) of what happened last, so that it
  comes again after every reconnect: each row is written once.
- `orderUpdates` name no user and have no snapshot, so each user has a connection of its own, and
  what happened while there was none is missing.
"""

from __future__ import annotations

from tickwire.decode.plan import Message, Scalar, choice, constant, given, message, ms, rows, text
from tickwire.schema import Column, Kind
from tickwire.venues.hyperliquid.accounts import short_texts, when_of

SIDES: dict[Scalar, str | bool] = {"B": "buy", "A": "sell"}


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
    return message(name, when=when_of("userFills", is_snapshot), rows=[fills])


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
)
USER_EXTRAS = {
    "fills": (
        Column("direction", Kind.TEXT, nullable=True, text_bytes=16),
        Column("start_position", Kind.F64, nullable=True),
        Column("tx_hash", Kind.TEXT, nullable=True, text_bytes=66),
        Column("builder_fee", Kind.F64, nullable=True),
        Column("twap_id", Kind.I64, nullable=True),
        Column("liquidation_mark_price", Kind.F64, nullable=True),
        *short_texts("liquidated_user", "liquidation_method"),
    ),
}
