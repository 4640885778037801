"""Templates repeat what was accepted and nothing else: a text, then others that nearly fit."""

from __future__ import annotations

import pytest
from tests.decode.declarations import BOOKS, POSITIONAL, STATES, TRADES
from tests.decode.feeds import DATA, VENUE, Feed, plain
from tests.decode.model import Model

from tickwire.decode.plan import Message

TEXTS: list[tuple[tuple[Message, ...], str]] = [
    (
        TRADES,
        '{"e":"listed","data":[{"s":"A","t":1700000000123,"p":"1.5","q":2.25,"x":"y","m":"b",'
        '"i":17},{"s":"B","t":1700000000124,"p":"10","q":3,"x":"z","m":"s","i":18}]}',
    ),
    (
        BOOKS,
        '{"e":"sides","t":17,"kind":"full","data":{"s":"A","u":9,"b":[["1.5","2"],["1.25","3"],'
        '["1.0","4"]],"a":[["2.5","1"],["2.75","10"]]}}',
    ),
    (
        BOOKS,
        '{"e":"nested","data":[{"s":"A","t":1,"levels":[[[1,2,3],[4,5,6],[7,8,9]],[[2,3,4]]]}]}',
    ),
    (STATES, '{"e":"full","t":1,"data":{"s":"A","l":"1.5","m":2,"f":"-0.01","n":99}}'),
    (POSITIONAL, '["1","trade",[["1.5","2",3,"b","","id1"],["2.5","3",4,"s","","id2"]],"SYM"]'),
]
# Scalars that are skipped are not checked, so the texts have none but strings.
INSERTED = (
    " ",
    "0",
    "-",
    "e5",
    ".",
    '"',
    "\\",
    ",",
    "x",
    "[",
    "]",
    "null",
    "\\u0030",
    "9999999999",
)


@pytest.mark.volume
@pytest.mark.parametrize(
    ("messages", "text"), TEXTS, ids=["trades", "sides", "nested", "state", "array"]
)
def test_texts_that_nearly_fit_a_template_are_read_as_they_are(
    messages: tuple[Message, ...], text: str
) -> None:
    feed, model = Feed(messages), Model(messages, DATA)
    variants = [text[:at] + text[at + 1 :] for at in range(len(text))]
    for insert in INSERTED:
        variants += [text[:at] + insert + text[at:] for at in range(0, len(text), 2)]
    for n, variant in enumerate(variants):
        for payload in (variant, text) if n % 3 else (variant, variant):
            expected = model.decode(payload.encode())
            assert feed.rows(payload) == (expected or {}), payload
            assert len(feed.reasons()) == (expected is None), payload


def test_a_long_run_of_one_form_wraps_the_ring() -> None:
    feed, model = Feed(BOOKS, rows=1024), Model(BOOKS, DATA)
    for n in range(1, 120):
        levels = ",".join(f'["{n}.{i}","{i}.5"]' for i in range(n % 23 + 1))
        payload = (
            f'{{"e":"sides","t":{n},"kind":"delta","data":{{"s":"S{n % 3}","u":{n},'
            f'"b":[{levels}],"a":[{levels}]}}}}'
        ).encode()
        assert feed.rows(payload) == model.decode(payload)


def test_messages_go_around_the_end_of_a_ring() -> None:
    """A consumer that is never done keeps the ring from beginning again at its front."""
    feed, model = Feed(BOOKS, rows=1024), Model(BOOKS, DATA)
    consumer = feed.consumers["book"]
    found, expected = [], []
    for n in range(1, 150):
        levels = ",".join(f'["{n}.{i}","{i}.5"]' for i in range(n % 23 + 1))
        payload = (
            f'{{"e":"sides","t":{n},"kind":"delta","data":{{"s":"S{n % 3}","u":{n},'
            f'"b":[{levels}],"a":[{levels}]}}}}'
        ).encode()
        assert feed.offer(payload)
        expected += (model.decode(payload) or {})["book"]
        while consumer.available > 1:
            batch = consumer.take(consumer.available - 1)
            assert batch is not None
            found += plain(batch)
    found += feed.take("book")
    assert len(found) > 3 * 1024
    for number, row in enumerate(found):
        assert row.pop("seq") == number
        assert row.pop("venue") == VENUE
        del row["ts_recv"], row["conn"]
    assert found == expected
