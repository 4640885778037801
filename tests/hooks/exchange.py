"""An exchange on loopback that speaks as much of Hyperliquid's REST interface as hooks use."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COINS = {"": ["BTC", "ETH"], "xyz": ["xyz:GOLD"]}
OFFSETS = {"": 0, "xyz": 110_000}


class Account:
    """One account, and how the exchange treats it.

    Attributes
    ----------
    orders, positions
        By coin: numbers of orders; signed sizes.
    fills_at_most
        Of one order, in coins.
    refuses
        By coin: how many orders more are refused, inside of status "ok".
    fails
        Whether every action fails, with status "err".
    delay_s
        How long each request takes to be acted upon.
    answer_s
        How long each answer takes after that.
    requests, actions
        What came.
    """

    def __init__(self) -> None:
        self.orders: dict[str, list[int]] = {"BTC": [1, 2], "xyz:GOLD": [7]}
        self.positions = {"BTC": 0.5, "ETH": -2.0, "xyz:GOLD": 1.0}
        self.mids = {"BTC": 100_000.0, "ETH": 4_000.0, "xyz:GOLD": 3_000.0}
        self.fills_at_most = 1e9
        self.refuses: dict[str, int] = {}
        self.fails = False
        self.delay_s = 0.0
        self.answer_s = 0.0
        self.requests: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.url = ""

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [action for action in self.actions if action["type"] == kind]

    # /info

    def read(self, request: dict[str, Any]) -> Any:
        dex = request.get("dex", "")
        match request["type"]:
            case "perpDexs":
                return [None, {"name": "xyz"}]
            case "spotMeta":
                return {"universe": [], "tokens": []}
            case "meta":
                return {"universe": [{"name": coin, "szDecimals": 2} for coin in COINS[dex]]}
            case "allMids":
                return {coin: str(self.mids[coin]) for coin in COINS[dex]}
            case "openOrders":
                return [
                    {"coin": coin, "oid": oid, "limitPx": "1", "side": "B", "sz": "1"}
                    for coin in COINS[dex]
                    for oid in self.orders.get(coin, [])
                ]
            case "clearinghouseState":
                positions = [
                    {"position": {"coin": coin, "szi": str(self.positions[coin])}}
                    for coin in COINS[dex]
                    if self.positions.get(coin)
                ]
                return {"assetPositions": positions}
        raise AssertionError(request)

    # /exchange

    def act(self, action: dict[str, Any]) -> Any:
        self.actions.append(action)
        if self.fails:
            return {"status": "err", "response": "Must deposit before performing actions."}
        if action["type"] == "scheduleCancel":
            return {"status": "ok", "response": {"type": "default"}}
        if action["type"] == "cancel":
            statuses = [self._cancel(self._coin(c["a"]), c["o"]) for c in action["cancels"]]
        else:
            statuses = [self._fill(order) for order in action["orders"]]
        return {
            "status": "ok",
            "response": {"type": action["type"], "data": {"statuses": statuses}},
        }

    def _coin(self, asset: int) -> str:
        dex = "xyz" if asset >= OFFSETS["xyz"] else ""
        return COINS[dex][asset - OFFSETS[dex]]

    def _cancel(self, coin: str, oid: int) -> Any:
        if oid not in self.orders.get(coin, []):
            return {"error": "Order was never placed, already canceled, or filled."}
        self.orders[coin].remove(oid)
        return "success"

    def _fill(self, order: dict[str, Any]) -> Any:
        coin = self._coin(order["a"])
        assert order["r"], "an order that may open a position"
        if self.refuses.get(coin, 0) > 0:
            self.refuses[coin] -= 1
            return {"error": "Order could not immediately match against any resting orders."}
        size = min(float(order["s"]), abs(self.positions[coin]), self.fills_at_most)
        self.positions[coin] = round(self.positions[coin] + (size if order["b"] else -size), 8)
        return {"filled": {"totalSz": str(size), "avgPx": order["p"], "oid": 9}}


@contextmanager
def hyperliquid() -> Iterator[Account]:
    """Serve an account."""
    account = Account()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(account.delay_s)
            with account.lock:
                account.requests.append(request)
                is_info = self.path == "/info"
                answer = account.read(request) if is_info else account.act(request["action"])
            time.sleep(account.answer_s)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        account.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield account
        finally:
            server.shutdown()
            thread.join()
