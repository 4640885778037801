"""Tasks are made in one place, where they have a name and are looked after."""

import re
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "tickwire"
# What makes tasks, or takes coroutines and makes tasks of them.
BARE = re.compile(
    r"\bcreate_task\(|\bensure_future\(|\basyncio\.gather\(|\bTaskGroup\(|\basyncio\.wait_for\(|"
    r"\bas_completed\(|\brun_coroutine_threadsafe\(|\beager_task"
)
MAKES_THEM = {"supervise/tasks.py"}
NOT_OF_A_FEED = {"sim", "bench"}  # programs of their own beside it


def test_the_rooms_of_a_feed_make_no_bare_tasks() -> None:
    files = [
        path
        for path in sorted(SRC.rglob("*.py"))
        if path.relative_to(SRC).parts[0] not in NOT_OF_A_FEED
    ]
    assert len(files) > 80
    found = {
        path.relative_to(SRC).as_posix(): BARE.findall(path.read_text())
        for path in files
        if BARE.search(path.read_text())
    }
    assert found.keys() == MAKES_THEM, found
