"""Pages name every venue, and the table of docs/venues.md is what the declarations have."""

import re
from pathlib import Path

from tests.venues.table import PAGE, table

from tickwire.sim.instruments import VENUES as SIMULATED
from tickwire.venues import load, names

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_table_of_today() -> None:
    assert table() in PAGE.read_text(), "python -m tests.venues.table --write"


def test_the_readme_names_who_runs_each_venue() -> None:
    [sentence] = [
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("It speaks to ")
    ]
    assert [name for name in names() if not _is_named(name, sentence)] == []


def test_the_page_of_books_names_every_venue_by_its_oracle() -> None:
    lines = (ROOT / "docs/books.md").read_text().splitlines()
    [same_id] = [line for line in lines if "best prices and sizes of the same id" in line]
    [lasting] = [line for line in lines if "by time, as they share no id" in line]
    for name in names():
        oracle = load(name).oracle
        if oracle is not None and not oracle.is_by_time:
            said, other = (lasting, same_id) if oracle.lasting_s else (same_id, lasting)
            assert _is_named(name, said), name
            assert not _is_named(name, other), name


def test_every_venue_is_simulated_as_the_page_of_the_simulator_says() -> None:
    assert "the protocol of any venue of tickwire" in (ROOT / "docs/simulator.md").read_text()
    assert set(names()) == set(SIMULATED)


def _is_named(venue: str, line: str) -> bool:
    """Whether a line names who runs a venue."""
    maker = {"binance-us": "binance.us"}.get(venue, venue.partition("-")[0])
    return maker in re.split(r"[^a-z.]+", line.lower().partition("`")[0].replace(". ", " "))
