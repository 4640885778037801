"""The decoder against the model: random documents of every declared shape."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from tests.decode.declarations import GROUPS
from tests.decode.documents import SYMBOLS, Writer, expectations
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

NAMED = SYMBOLS[:2]
SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(2, 6))]


def exact(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows with their floats as bits, so that -0.0 is not 0.0."""
    return {
        table: [
            {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in row.items()}
            for row in found
        ]
        for table, found in rows.items()
    }


def compare(group: str, rng: Random, mistakes: float, noise: float, *, steady: bool) -> None:
    """Decode random documents of a group one after the other, by the decoder and by the model."""
    messages = GROUPS[group]
    feed = Feed(messages, symbols=NAMED)
    model = Model(messages, DATA, NAMED)
    places = [expectations(message, DATA) for message in messages]
    n_bad = 0
    for n in range(60):
        writer = Writer(rng, mistakes=mistakes, noise=noise, steady=steady)
        if steady and n % 8 == 7:
            writer = Writer(rng, mistakes=mistakes, noise=0.1)
        text = writer.space() + writer.write(rng.choice(places)) + writer.space()
        payload = text.encode()
        expected = model.decode(payload)
        assert exact(feed.rows(payload)) == exact(expected or {}), text
        if expected is None:
            n_bad += 1
            assert [kept for _, kept in feed.reasons()] == [payload], text
    assert feed.reasons() == []
    assert sum(feed.decoder.errors.values()) == n_bad
    assert feed.decoder.messages == 60


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mistakes", [0.0, 0.01, 0.1], ids=["right", "some wrong", "many wrong"])
@pytest.mark.parametrize("group", GROUPS)
def test_random_documents_give_the_rows_of_the_model(
    group: str, mistakes: float, seed: int
) -> None:
    rng = Random(f"{group} {mistakes} {seed}")
    compare(group, rng, mistakes, rng.choice((0.0, 0.05, 0.3)), steady=False)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mistakes", [0.0, 0.01], ids=["right", "some wrong"])
@pytest.mark.parametrize("group", GROUPS)
def test_documents_of_one_form_give_the_rows_of_the_model(
    group: str, mistakes: float, seed: int
) -> None:
    compare(group, Random(f"steady {group} {mistakes} {seed}"), mistakes, 0.0, steady=True)
