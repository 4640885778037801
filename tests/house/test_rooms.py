"""docs/design.md says of every room its duty, who may import it and its files, as the code does."""

import pytest
from tests.house.rooms import BEGIN, END, PAGE, current, files, first_sentence, page
from tests.house.test_layout import ROOMS


def test_the_page_names_every_module_as_it_is_now() -> None:
    """Where this fails: `python -m tests.house.rooms --write`."""
    assert current(PAGE.read_text(encoding="utf-8")) == page()


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_says_what_it_is(room: str) -> None:
    found = {path.name: first_sentence(path) for path in files(room)}
    assert found
    assert [name for name, said in found.items() if not 3 < len(said) < 140] == []


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="lacks"):
        current(BEGIN)
    assert current(f"before{BEGIN}x{END}after") == f"{BEGIN}x{END}"
