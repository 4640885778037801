"""Hyperliquid's channel `l2`: positions become prices, and books are those of plain Python."""

import base64
import json
import random
import zlib
from typing import Any

import pytest
from tests.decode.feeds import plain
from tests.reference.rig import Rig

from tickwire.decode.plan import constant, message, ms, position, rows
from tickwire.errors import PlanError
from tickwire.feed.plan.verifying import shown_levels, verifies, watch_rule
from tickwire.venues import load

VENUE = load("hyperliquid")
MS = 1_000_000
# As the venue sent it; its stream has no last block.
SENT = (
    "XZS9jhcxDMTfJXVk+dvOv4RXoDttRUuBgO50705OQolNuftbeyaT0b6P7+M1vnz7Oub4M14UGUKuGRg8x4/xent7Hz/3"
    "J7HfI+CY4/d+IlBMGR/zQFwH7s9cPRq1SveoNaqHEkhu6UblUAQRyb6ZC41Q6q7oUIJwx66LhzIsXl5ned0TEdhyy+KK"
    "V55ZhHSKPhuHKiwL77N+KDm4B3esByMI6eImLIcypDF3YT7UgIS4hsWLKs0VfTMemrBS16q6eeNASP1vc9Y40FaTzZuG"
    "AaLJln1mKda1FVvYaPPbLJJjC4HYrFMtdNtCKqaFtt6/yiIYknbqZdY4o7WDrmsCcWJtm+uB2bG3kmpYiNJnGY8ugZNj"
    "TUv4piGQvKS5Yi6zHNHPyzcrBdEVzTPXrFyihcFWFkdwraTwTYpBlbPTKKNu0oojfJNioCCrtRK+SRHoMmyOBc9mB0YO"
    "r3cgN6kAF/u8v+eZ49fnb4ts6pTJu2ikcz+RT4pJOWk9z8f"
)
Sides = tuple[dict[float, float], dict[float, float]]


def packed(change: Any) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    text = squeeze.compress(json.dumps(change).encode()) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    blob = base64.b64encode(text).rstrip(b"=").decode()
    return json.dumps({"channel": "l2", "data": {"c": blob}}).encode()


def bare(change: Any) -> bytes:
    return json.dumps({"channel": "l2", "data": {"u": change}}).encode()


def whole(sides: Sides, time: int, coin: str = "BTC") -> bytes:
    levels = [
        [{"px": str(price), "sz": str(size), "n": 3} for price, size in ordered(side, number)]
        for number, side in enumerate(sides)
    ]
    data = {"s": {"coin": coin, "time": time, "levels": levels}}
    return json.dumps({"channel": "l2", "data": data}).encode()


def ordered(side: dict[float, float], number: int) -> list[tuple[float, float]]:
    return sorted(side.items(), reverse=number == 0)


def follow(sides: Sides, change: Any) -> None:
    """Apply a change: removals by position, then what is set."""
    for number, side in enumerate(sides):
        prices = [price for price, _ in ordered(side, number)]
        for at in change["r"][number]:
            del side[prices[at]]
        for level in change["l"][number]:
            side[float(level["p"])] = float(level["s"])


def rig(*symbols: str) -> Rig:
    return Rig.of(VENUE, ["book:l2"], symbols or ("*",), book="book:l2")


def taken(made: Rig, sides: Sides) -> list[dict[str, Any]]:
    """Apply a rig's rows in their order."""
    found = [row for batch in made.table("book").to_batches() for row in plain(batch)]
    for row in found:
        if row["is_snapshot"] and row is found[0]:
            sides[0].clear()
            sides[1].clear()
        side = sides[row["side"] == "ask"]
        if row["size"]:
            side[row["price"]] = row["size"]
        else:
            side.pop(row["price"], None)
    return found


def test_the_message_of_the_venue() -> None:
    text = zlib.decompressobj(-15).decompress(base64.b64decode(SENT[:504]))
    change = json.loads(text + b"]}" if not text.endswith(b"}") else text)
    # A book before it that leaves 20 levels: the worst of those that it sets are new.
    slow: Sides = ({}, {})
    for side, placed, gone, step in zip(slow, change["l"], change["r"], (-1, 1), strict=True):
        known = [float(level["p"]) for level in placed][: len(placed) - len(gone)]
        n_others = 20 - len(gone) - len(known)
        worst = float(placed[-1]["p"])
        kept = [*known, *(worst + step * (at + 1) for at in range(n_others))]
        for at in sorted(gone):
            kept.insert(at, (kept[at - 1] if at else kept[0]) + step / 4)
        side |= dict.fromkeys(kept, 5.0)
    made, fast = rig(), ({}, {})
    made.message(whole(slow, change["t"] - 500), 1, 5)
    made.message(json.dumps({"channel": "l2", "data": {"c": SENT}}).encode(), 2, 5)
    follow(slow, change)
    found = taken(made, fast)
    assert made.decoder.errors == {}
    assert {row["channel"] for row in found} == {"book:l2"}
    assert len(found) == 40 + sum(map(len, (*change["l"], *change["r"])))
    assert {row["symbol"] for row in found} == {"BTC"}
    assert found[0]["order_count"] == 3
    assert found[-1]["ts_event"] == change["t"] * MS
    assert fast == slow
    assert [len(side) for side in slow] == [20, 20]


@pytest.mark.parametrize("form", [packed, bare])
def test_books_are_those_of_plain_python(form: Any) -> None:
    rng = random.Random(1)
    slow: Sides = ({100.0 - at: 1.0 for at in range(20)}, {121.0 + at: 1.0 for at in range(20)})
    made, fast, at_ms = rig(), ({}, {}), 1000
    made.message(whole(slow, at_ms), 1, 5)
    for _ in range(300):
        at_ms += rng.randrange(0, 3)
        change: dict[str, Any] = {"c": "BTC", "t": at_ms, "l": [[], []], "r": [[], []]}
        for number, side in enumerate(slow):
            gone = rng.sample(range(20), rng.randrange(0, 5))
            kept = [price for at, (price, _) in enumerate(ordered(side, number)) if at not in gone]
            near = [float(price + 60 * number) for price in range(61, 101)]
            fresh = rng.sample([price for price in near if price not in kept], len(gone))
            change["r"][number] = gone
            change["l"][number] = [
                {"p": str(price), "s": f"{rng.random():.4f}1"}
                for price in [*fresh, *rng.sample(kept, 2)]
            ]
        follow(slow, change)
        made.message(form(change), 2, 5)
    assert made.follower is not None
    assert made.follower.n_breaks == 0
    taken(made, fast)
    assert fast == slow
    assert made.decoder.errors == {}


@pytest.mark.parametrize("form", [packed, bare])
def test_a_change_that_does_not_fit_breaks_the_book_until_a_whole_one(form: Any) -> None:
    sides: Sides = ({100.0: 1.0}, {101.0: 1.0})
    made = rig()
    made.message(whole(sides, 10), 1, 5)
    good = {"c": "BTC", "t": 11, "l": [[{"p": "99", "s": "2"}], []], "r": [[], []]}
    made.message(form(good), 2, 5)
    made.message(form({"c": "BTC", "t": 12, "l": [[], []], "r": [[7], []]}), 3, 5)
    made.message(form(good | {"t": 13}), 4, 5)  # and what follows it is not published
    assert len(made.table("book")) == 3
    assert made.follower is not None
    assert [each[1] for each in made.follower.take_news()] == ["begun", "checksum"]
    assert len(made.follower.waiting()) == 1
    made.message(whole(sides, 14), 5, 5)
    made.message(form(good | {"t": 15}), 6, 5)
    assert len(made.table("book")) == 6
    assert made.follower.waiting() == []


def test_only_configured_coins_and_nothing_of_a_connection_that_has_ended() -> None:
    sides: Sides = ({100.0: 1.0}, {101.0: 1.0})
    change = {"c": "ETH", "t": 11, "l": [[{"p": "99", "s": "2"}], []], "r": [[], []]}
    made = rig("BTC")
    made.message(whole(sides, 10, "ETH"), 1, 5)
    made.message(packed(change), 2, 5)
    assert len(made.table("book")) == 0
    made.message(whole(sides, 10), 1, 5)
    made.connections[5].has_ended = True
    made.message(packed(change | {"c": "BTC"}), 2, 5)
    assert len(made.table("book")) == 2
    nameless = {"t": 11, "l": [[{"p": "99", "s": "2"}], []], "r": [[], []]}
    made.message(packed(nameless), 2, 5)
    assert sum(made.decoder.errors.values()) == 1


def test_how_it_is_asked_for_verified_and_followed() -> None:
    channel = VENUE.channel("book:l2")
    assert channel is not None
    [subscription] = channel.subscriptions("book:l2", "BTC")
    assert VENUE.subscribe([subscription], 1) == (
        '{"method":"subscribe","subscription":{"type":"l2","c":"BTC"}}'
    )
    echo = {"method": "subscribe", "subscription": {"type": "l2", "c": "BTC"}}
    answer = json.dumps({"channel": "subscriptionResponse", "data": echo}).encode()
    assert VENUE.reply("acknowledge", answer).acknowledged == (subscription.key,)
    assert verifies(VENUE, "book:l2") == (False, False, 0)
    assert verifies(VENUE, "book") == (False, False, 0)
    assert watch_rule(VENUE, "book:l2") == (0, 0, True)
    assert watch_rule(VENUE, "book") is None
    assert (shown_levels(VENUE, "book"), shown_levels(VENUE, "book:fast")) == (20, 0)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"size": "s"}, "no size"),
        ({"ts_event": None}, "with ts_event"),
        ({"price": position("", most=0)}, "most should be 1 to"),
    ],
)
def test_mistakes_of_positions_are_found(more: dict[str, Any], wrong: str) -> None:
    fields = {
        "symbol": "$.s", "ts_event": ms("$.t"), "channel": constant("book"),
        "side": constant("bid"), "price": position("", most=5), "is_snapshot": constant(False),
    } | more  # fmt: skip
    given = {name: field for name, field in fields.items() if field is not None}
    made = message("m", spliced=True, rows=[rows(at="r[]", into="book", **given)])
    with pytest.raises(PlanError, match=wrong):
        Rig("somewhere", [made], ["book"])
