"""Planned changes of connections: who asks for what, with sessions that do nothing."""

from __future__ import annotations

from typing import Any

from tickwire.feed.streams.changes import Changes
from tickwire.observe import Registry


class Bag:
    """What has the attributes that it is given."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


def session() -> Any:
    return Bag(
        connection=object(), is_away=False, url="ws://a",
        renew=lambda: None, turn_to_first=lambda: None,
    )  # fmt: skip


async def test_a_refresh_is_done_though_the_way_back_was_asked_for_before() -> None:
    leg: Any = Bag(session=session(), spare=session())
    group: Any = Bag(legs=[leg], begin_change=lambda leg: None)
    begun: list[Any] = []
    changes = Changes(group, begun.append, {}, 0.0, Registry().labelled())
    back = changes.ask(leg, "the first endpoint works again", to_first=True)
    changes.look()
    assert back.result()  # it is there already
    assert begun == []
    changes.ask(leg, "the first endpoint works again", to_first=True)
    refreshed = changes.ask(leg, "a refresh was asked for")
    changes.look()
    assert begun == [leg.spare]
    assert not refreshed.done()
    changes.stop()
    assert refreshed.result() is False
