"""Talking to Binance: requests and replies. One request asks for many streams."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tickwire.venues.base import Reply, Subscription


def subscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    """Write one request for these streams."""
    return _request("SUBSCRIBE", subscriptions, request_id)


def unsubscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    """Write one request that ends these streams."""
    return _request("UNSUBSCRIBE", subscriptions, request_id)


def _request(method: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    request = {
        "method": method,
        "params": [subscription.key for subscription in subscriptions],
        "id": request_id,
    }
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False)


def reply(kind: str, payload: bytes) -> Reply:
    """Read `{"result":null,"id":1}`, and errors with their code and words."""
    answer = json.loads(payload)
    number = answer.get("id")
    request_id = number if isinstance(number, int) else None
    if kind == "acknowledge":
        return Reply(request_id=request_id)
    if "stream" in answer:
        return Reply(text="the venue is about to close its connections", closing=True)
    error = answer.get("error", answer)
    if not isinstance(error, dict):
        error = {"msg": error}
    words = str(error.get("msg", ""))
    code = error.get("code")
    return Reply(
        text=words if code is None else f"{words} (code {code})",
        retry="too many" in words.lower(),
        request_id=request_id,
        request_ok=False,
    )
