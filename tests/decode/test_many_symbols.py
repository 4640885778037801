"""State carried over many symbols, and taken back."""

from __future__ import annotations

import json
from random import Random

from tests.decode.declarations import STATES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model


def test_state_of_many_symbols_against_the_model() -> None:
    rng = Random(5)
    feed, model = Feed(STATES), Model(STATES, DATA)
    fields = {"l": 1.5, "m": "2", "f": -0.25, "n": 99}
    n_refused = 0
    for n in range(1500):
        data = {key: fields[key] for key in fields if rng.random() < 0.5}
        data |= {"s": f"S{rng.randrange(200)}"}
        if rng.random() < 0.1:
            data["m"] = "broken"
        kind = "full" if rng.random() < 0.1 else "change"
        payload = json.dumps({"e": kind, "t": n, "data": data}).encode()
        expected = model.decode(payload)
        n_refused += expected is None
        assert feed.rows(payload) == (expected or {})
    assert feed.decoder.errors == {"bad_number": n_refused}
