"""The account's side: what is read, and what is asked for."""

from hyperliquid.api import API


class Info(API):
    def __init__(self, base_url, perp_dexs, timeout):
        super().__init__(base_url, timeout)
        self.assets = {}
        offsets = {"": 0}
        for i, dex in enumerate(self.post("/info", {"type": "perpDexs"})[1:]):
            offsets[dex["name"]] = 110_000 + 10_000 * i
        for dex in perp_dexs:
            for i, each in enumerate(self.post("/info", {"type": "meta", "dex": dex})["universe"]):
                self.assets[each["name"]] = offsets[dex] + i

    def open_orders(self, user, dex=""):
        return self.post("/info", {"type": "openOrders", "user": user, "dex": dex})

    def user_state(self, user, dex=""):
        return self.post("/info", {"type": "clearinghouseState", "user": user, "dex": dex})

    def all_mids(self, dex=""):
        return self.post("/info", {"type": "allMids", "dex": dex})


class Exchange(API):
    def __init__(
        self, wallet, base_url=None, meta=None, vault_address=None, account_address=None,
        spot_meta=None, perp_dexs=None, timeout=None,
    ):  # fmt: skip
        super().__init__(base_url, timeout)
        self.key = wallet.key
        self.address = vault_address or account_address or wallet.address
        self.info = Info(base_url, perp_dexs, timeout)

    def _act(self, **action):
        return self.post("/exchange", {"action": action})

    def schedule_cancel(self, time):
        return self._act(type="scheduleCancel", **({} if time is None else {"time": time}))

    def bulk_cancel(self, orders):
        cancels = [{"a": self.info.assets[each["coin"]], "o": each["oid"]} for each in orders]
        return self._act(type="cancel", cancels=cancels)

    def market_close(self, coin, sz=None, px=None, slippage=0.05):
        dex = coin.split(":")[0] if ":" in coin else ""
        for each in self.info.user_state(self.address, dex)["assetPositions"]:
            position = each["position"]
            if position["coin"] == coin:
                size = float(position["szi"])
                price = px or float(self.info.all_mids(dex)[coin])
                price *= 1 + slippage if size < 0 else 1 - slippage
                order = {
                    "a": self.info.assets[coin], "b": size < 0, "p": f"{price:.5g}",
                    "s": str(abs(size)), "r": True, "t": {"limit": {"tif": "Ioc"}},
                }  # fmt: skip
                return self._act(type="order", orders=[order], grouping="na")
        return None
