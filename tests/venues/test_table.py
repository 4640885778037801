"""The table of docs/venues.md is what the declarations have, and README.md names every venue."""

from pathlib import Path

from tests.venues.table import PAGE, table

from tickwire.venues import names

README = Path(__file__).parents[2] / "README.md"


def test_the_page_has_the_table_of_today() -> None:
    assert table() in PAGE.read_text(), "python -m tests.venues.table --write"


def test_the_readme_names_who_runs_each_venue() -> None:
    [sentence] = [
        line for line in README.read_text().splitlines() if line.startswith("It speaks to ")
    ]
    said = sentence.lower().replace(".", "-")
    assert [name for name in names() if name.partition("-")[0] not in said] == []
    assert "binance-us" in said
