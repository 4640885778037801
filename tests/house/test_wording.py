"""Numbers with their nouns."""

import pytest

from tickwire.wording import counted


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [
        (0, "message", "0 messages"),
        (1, "message", "1 message"),
        (2000, "unknown message", "2,000 unknown messages"),
    ],
)
def test_one_is_no_plural(number: int, what: str, said: str) -> None:
    assert counted(number, what) == said
