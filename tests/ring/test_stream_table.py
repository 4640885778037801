"""Connections and the sessions that have adopted them, against a plain dictionary."""

from __future__ import annotations

import random

import pytest

from tickwire.ring._stream_table import StreamTable


def test_the_last_connection_of_each_leg_is_found() -> None:
    table = StreamTable()
    assert table.find(0) is None
    rng = random.Random(7)
    held: dict[tuple[int, int], int] = {}
    for conn in range(2000):  # slots of connections that have ended are used again
        session, leg = rng.randrange(40), rng.randrange(8)
        table.adopt(conn, session, leg)
        held[session, leg] = conn
        if conn % 100 == 0:
            for (of, _), each in held.items():
                assert table.find(each) == of
    assert table.n_sessions == 40
    assert table.find(2000) is None
    assert table.find(-1) is None


def test_sessions_whose_numbers_meet_stay_apart() -> None:
    table = StreamTable()
    for session in range(300):
        table.adopt(session * 64, session)
    assert [table.find(session * 64) for session in range(300)] == list(range(300))
    assert table.find(1) is None


def test_sessions_may_share_a_connection() -> None:
    table = StreamTable()
    for session in (0, 1, 2, 1, 0):
        table.adopt(5, session)
    assert (table.find(5), table.n_shared) == (0, 2)


@pytest.mark.parametrize(
    ("conn", "session", "leg", "text"),
    [(-1, 0, 0, "0 or more"), (0, -1, 0, "0 or more"), (0, 0, 8, "leg 8"), (0, 0, -1, "leg -1")],
)
def test_numbers_that_cannot_be_are_refused(conn: int, session: int, leg: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        StreamTable().adopt(conn, session, leg)


@pytest.mark.parametrize("numbers", [[], [1, 0], [0, 2, 2], [0, 0], [0, -1]])
def test_parts_are_the_session_first_and_each_once(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="of session 0: itself first, each once"):
        StreamTable().divide(0, [(code, number) for code, number in enumerate(numbers)])
