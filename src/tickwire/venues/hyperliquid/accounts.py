"""Fundings and ledgers of Hyperliquid's users, and what fills and orders share with them.

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
    constant,
    message,
    ms,
    present,
    rows,
    unlike,
)  # fmt: skip
from tickwire.schema import Column, Kind

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
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


def when_of(channel: str, is_snapshot: bool) -> dict[str, Scalar | Test]:
    """Recognise a channel's snapshots, or its other messages."""
    # What is no snapshot says so, or says nothing.
    return {"channel": channel, "data.isSnapshot": True if is_snapshot else unlike(True)}


def short_texts(*names: str) -> tuple[Column, ...]:
    """Give columns of short texts, which may be null."""
    return tuple(Column(name, Kind.TEXT, nullable=True, text_bytes=42) for name in names)


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
    return message(name, when=when_of(TYPES["fundings"], is_snapshot), rows=[fundings])


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
    return message(name, when=when_of(TYPES["ledger"], is_snapshot), rows=updates)


ACCOUNT_MESSAGES = (
    _fundings("userFundings snapshot", is_snapshot=True),
    _fundings("userFundings", is_snapshot=False),
    _ledger("ledger snapshot", is_snapshot=True),
    _ledger("ledger", is_snapshot=False),
)
ACCOUNT_EXTRAS = {
    "fundings": (Column("n_samples", Kind.I64, nullable=True),),
    "ledger": (
        *short_texts("user", "destination", "vault", "source_dex", "destination_dex"),
        Column("to_perpetuals", Kind.BOOL, nullable=True),
        Column("account_value", Kind.F64, nullable=True),
    ),
}
