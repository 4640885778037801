"""The table of docs/venues.md is what the declarations have."""

from tests.venues.table import PAGE, table


def test_the_page_has_the_table_of_today() -> None:
    assert table() in PAGE.read_text(), "python -m tests.venues.table --write"
