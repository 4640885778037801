"""Which declaration a recorded message is one of, by the decoder's own routing."""

from __future__ import annotations

from collections.abc import Callable

from tickwire.decode import Decoder, Program
from tickwire.decode.plan import Message
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import DATA_TABLES, TABLES
from tickwire.venues import Venue

RING_ROWS = 1 << 14  # of rings that nothing is written to


def kinds_of(venue: Venue) -> Callable[[bytes], Message | None]:
    """Give what finds the declaration of a message; it gives None where there is none."""
    tables = {name: TABLES[name].with_extras(venue.extras.get(name, ())) for name in DATA_TABLES}
    dictionaries = Dictionaries()
    rings = {name: Ring(table, RING_ROWS, dictionaries) for name, table in tables.items()}
    program = Program(venue.name, venue.declared(extras=True), tables)
    decoder = Decoder(program, rings, dictionaries, venue=venue.name)
    named = {message.name: message for message in venue.messages}

    def kind_of(payload: bytes) -> Message | None:
        name = decoder.kind_of(payload)
        return None if name is None else named[name]

    return kind_of
