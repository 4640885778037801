"""The list of words, and what looks for them (words.py)."""

import pytest
from tests.house.words import LIST, Word, hits, sources, words


@pytest.fixture
def banned() -> list[Word]:
    return words("# a comment\n\ntend|tends => housekeeping\n(has|have) no room  => ring full\n")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("self.tend()", "tend"),
        ("def _tend_always():", "tend"),
        ("TENDS = 1", "TENDS"),
        ("# a ring that has no room", "has no room"),
    ],
)
def test_a_word_is_found_in_prose_and_in_names(line: str, found: str, banned: list[Word]) -> None:
    [(number, text, instead)] = hits(f"first\n{line}\n", banned)
    assert (number, text) == (2, found)
    assert instead in ("housekeeping", "ring full")


@pytest.mark.parametrize("line", ["extend()", "they intended", "tendency", "has some room"])
def test_a_part_of_another_word_is_none(line: str, banned: list[Word]) -> None:
    assert hits(line, banned) == []


def test_a_line_without_an_arrow_is_an_error() -> None:
    with pytest.raises(ValueError, match="no '=>'"):
        words("tend\n")


def test_there_are_words_and_sources() -> None:
    assert words(LIST.read_text())
    assert {"pyproject.toml", "README.md", "Makefile"} <= {path.name for path in sources()}
