"""REST answers of trades that were missed: decoded into a source's rings.

Rules of this file
------------------
- Which trades are missing is not known here: the caller gives an answer of these alone.
- An answer is decoded by the walk, as a message is, and published at once.
"""

from libc.stdint cimport INT64_MIN, int64_t, uint8_t

from tickwire.decode._bytecode cimport RowSetOp
from tickwire.decode._publish cimport publish_staged
from tickwire.decode._quarantine cimport reason_of
from tickwire.decode._stage cimport BAD_TEXT, DONE, FULL, Outcome, Sender, Stage
from tickwire.decode._walk cimport Walker
from tickwire.ring._tw_ring cimport tw_ring

from tickwire.clock import mono_ns
from tickwire.errors import DecodeError, PlanError

cdef extern from "tickwire/base/utf8.h" nogil:
    bint tw_utf8_whole(const uint8_t* p, size_t n)

cdef enum:
    SHOWN_BYTES = 80    # of an answer that cannot be decoded, in its error
    COLUMN_TS_EVENT = 3


cdef class BackfillDecoder:
    """The part of a source's decoder that takes trades which were missed.

    Parameters
    ----------
    walker
        The source's; stage and rings are behind it.
    program
        The source's declarations.
    symbols
        The feed's dictionary of symbols.
    venue
        The venue's name.
    venue_code
        Its code in the feed's dictionary.
    """

    def __init__(self, Walker walker, program, symbols, venue, venue_code):
        self.walker = walker
        self.program = program
        self.symbols = symbols
        self.venue = venue
        self.venue_code = venue_code

    def memory_of(self, message):
        """Give the number of the memory in which `Decoder.seen` has the ids of an answer's trades.

        Parameters
        ----------
        message
            Name of the declaration, of kind `backfill`.

        Raises
        ------
        PlanError
            There is no such message, or the source has none of its rows.
        """
        return self.rows_of(self.route_of(message)).once

    def take(self, message, payload, *, symbol, ts_recv, conn, remember=False):
        """Decode an answer, and publish its rows.

        Parameters
        ----------
        message
            Name of the declaration, of kind `backfill`.
        payload
            The answer's body, bytes; only trades that are missing.
        symbol
            What `given()` means.
        ts_recv
            When it came, ns since the epoch.
        conn
            The number that its rows have for a connection.
        remember
            Whether a connection may bring them still: then they are left out. Else their ids are
            not kept, so that those which it brings stay known.

        Returns
        -------
        (int, int or None, int or None) or None
            Rows, and ts_event of the first and the last, where they have one; None where a ring is
            full: offer it again.

        Raises
        ------
        PlanError
            As in `memory_of`.
        DecodeError
            The answer cannot be decoded.
        """
        cdef Stage stage = self.walker.stage
        cdef int route = self.route_of(message)
        cdef tw_ring* ring = stage.targets.at[self.rows_of(route).target]
        cdef bytes text = bytes(payload)
        cdef const uint8_t* p = text
        cdef int64_t* events = <int64_t*>ring.columns[COLUMN_TS_EVENT].values
        cdef int64_t first, last
        cdef Outcome outcome = BAD_TEXT
        cdef Sender sender = stage.no_sender
        if tw_utf8_whole(p, len(text)):
            sender.given_symbol = self.symbols.code(symbol)
            stage.message.sender = &sender
            outcome = self.walker.run(route, p, p + len(text), True)
            stage.message.sender = &stage.no_sender
        if outcome == FULL:
            return None
        if outcome != DONE:
            begin = text[:SHOWN_BYTES].decode("utf-8", "replace")
            raise DecodeError(
                reason_of(outcome), f"{self.venue} trades of {symbol}, which begin {begin!r}"
            )
        first, last = ring.published, ring.head - 1
        publish_staged(stage.targets, self.venue_code, conn, ts_recv, mono_ns())
        if not remember:
            stage.seen.undo()
        if last < first:
            return 0, None, None
        times = [events[row & ring.mask] for row in (first, last)]
        return last - first + 1, *(None if time == INT64_MIN else time for time in times)

    cdef int route_of(self, message) except -1:
        for number, route in enumerate(self.program.routes):
            if route.name == message and route.kind == "backfill" and route.requested:
                return number
        raise PlanError(f"{self.venue}: no message {message!r} of kind 'backfill'")

    cdef RowSetOp* rows_of(self, int route) except NULL:
        return &self.walker.stage.program.row_sets[
            self.walker.stage.program.routes[route].row_sets.first
        ]
