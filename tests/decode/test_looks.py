"""Messages that are shown: one of each kind, and only what no script was tried first for."""

from __future__ import annotations

import base64
import json
import zlib

from tests.decode.feeds import Feed

from tickwire.decode.plan import inflated, message, rows

SHOWN_BYTES = 1 << 16  # of the longest message that is shown
MIDS = message("mids", when={"k": "m"}, rows=[rows(at="", into="mids", symbol="s", price="p")])
PONG = message("pong", when={"k": "pong"}, kind="pong")


def mid(price: int, **more: object) -> str:
    return json.dumps({"k": "m", "from": "somewhere", "s": "A", "p": price} | more)


def test_a_message_of_each_kind_is_shown_once_for_each_request() -> None:
    feed = Feed([MIDS, PONG])
    shown: list[tuple[str | None, bytes]] = []
    feed.decoder.request_looks(lambda *look: shown.append(look))
    first, second, strange = mid(1), mid(2, x=[1]), '{"k":"other"}'
    for text in (first, second, strange, strange, '{"k":"pong"}'):
        assert feed.offer(text)
    kinds = [("mids", first), (None, strange), ("pong", '{"k":"pong"}')]
    assert shown == [(name, text.encode()) for name, text in kinds]
    feed.decoder.request_looks(lambda *look: shown.append(look))
    third = mid(3, y={"z": 1})
    assert feed.offer(third)
    assert shown[3:] == [("mids", third.encode())]


def test_what_a_script_reads_first_and_what_is_very_long_are_not_shown() -> None:
    feed = Feed([MIDS])
    for price in range(20):
        assert feed.offer(mid(price))
    shown: list[tuple[str | None, bytes]] = []
    feed.decoder.request_looks(lambda *look: shown.append(look))
    assert feed.offer(mid(21))
    assert feed.decoder.scripted["mids"] > 0
    assert feed.offer(mid(22, text="x" * SHOWN_BYTES))
    assert shown == []
    text = mid(23, another="x" * (SHOWN_BYTES // 2))
    assert feed.offer(text)
    assert shown == [("mids", text.encode())]


def test_messages_inside_of_others_are_shown_by_their_own_name() -> None:
    def packed(text: str) -> str:
        squeeze = zlib.compressobj(wbits=-15)
        return base64.b64encode(squeeze.compress(text.encode()) + squeeze.flush()).decode()

    holder = message("packed", when={"ch": "p"}, packed=inflated("d"))
    inside = message(
        "inside", inside="packed", when={"k": "m"},
        rows=[rows(at="", into="mids", symbol="s", price="p")],
    )  # fmt: skip
    feed = Feed([holder, inside])
    shown: list[tuple[str | None, bytes]] = []
    feed.decoder.request_looks(lambda *look: shown.append(look))
    texts = [mid(1), '{"k":"other"}']
    for text in texts:
        assert feed.offer(json.dumps({"ch": "p", "d": packed(text)}))
    names = [(name, text) for name, text in shown if name != "packed"]
    assert names == [("inside", texts[0].encode()), (None, texts[1].encode())]
