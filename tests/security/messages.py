"""Messages as Hyperliquid sends them."""

import json


def trade(number: int, coin: str = "BTC") -> bytes:
    """Give a trade whose id is its number."""
    row = {
        "coin": coin,
        "side": "B",
        "px": "1.5",
        "sz": "2",
        "time": 1000 + number,
        "hash": "0x0",
        "tid": number,
        "users": ["0xb", "0xs"],
    }
    return json.dumps({"channel": "trades", "data": [row]}).encode()
