"""docs/configuration.md is what the sections have, and says something of every key."""

from tests.config.reference import PAGE, page


def test_the_page_has_the_keys_of_today() -> None:
    assert page() == PAGE.read_text(), "python -m tests.config.reference --write"


def test_every_key_has_a_meaning_and_a_type() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    assert len(cells) > 80
    assert [row for row in cells if len(row) != 4 and row[0] != "key"] == []
    assert [row[0] for row in cells if row[0] not in ("key", "---") and not all(row)] == []
