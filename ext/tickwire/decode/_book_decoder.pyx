"""Spliced books in a source's decoder: deltas, held deltas and snapshots, asked of the splice.

Rules of this file
------------------
- Which delta goes and which waits is for `tickwire.book` to say; this stages rows and publishes
  them or takes them back.
- Held deltas are decoded a second time, when they are due: their rows are far larger than their
  text, and most of the time there are none.
- A snapshot is decoded once: its rows are staged, its id is looked at, and the rows are published
  or taken back.
"""

from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t

from tickwire.book._held cimport HeldDelta
from tickwire.book._rules cimport Delta
from tickwire.book._splice cimport ADMIT, HOLD, BookSplice
from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._connection cimport Connection
from tickwire.decode._publish cimport publish_staged
from tickwire.decode._quarantine cimport Quarantine, reason_of
from tickwire.decode._routing cimport UNROUTED, Router
from tickwire.decode._stage cimport BAD_TEXT, DONE, FULL, MISSING, Outcome, Sender

from tickwire.clock import mono_ns
from tickwire.errors import DecodeError

cdef extern from "tickwire/base/utf8.h" nogil:
    bint tw_utf8_whole(const uint8_t* p, size_t n)

cdef enum:
    SHOWN_BYTES = 80    # of an answer that is no snapshot, in its error


cdef class BookDecoder:
    """The part of a source's decoder that spliced books need.

    Parameters
    ----------
    splice
        Decides about deltas, and holds them.
    router
        The source's; stage and rings are behind it.
    quarantine
        The source's.
    symbols
        The feed's dictionary of symbols.
    venue_code
        The venue's code in the feed's dictionary.
    """

    def __init__(self, BookSplice splice, Router router, Quarantine quarantine, symbols,
                 venue_code):
        self.splice = splice
        self.router = router
        self.stage = router.walker.stage
        self.quarantine = quarantine
        self.symbols = symbols
        self.venue = quarantine.venue
        self.venue_code = venue_code

    cdef Delta delta_of(self, RouteOp* route) noexcept nogil:
        """The update ids of the message in the registers."""
        cdef int64_t ids[3]
        cdef int32_t registers[3]
        cdef int i
        registers[0] = route.splice_first
        registers[1] = route.splice_last
        registers[2] = route.splice_prev
        for i in range(3):
            ids[i] = INT64_MIN
            if registers[i] >= 0 and (self.stage.message.have >> registers[i]) & 1:
                ids[i] = self.stage.message.registers[registers[i]].value.i
        return Delta(first=ids[0], last=ids[1], prev=ids[2])

    cdef bint admit(
        self, Connection connection, RouteOp* route, const uint8_t* payload, size_t n
    ) noexcept nogil:
        """Ask whether the staged rows of a delta may be published; else take them back.

        Shape    one message of n bytes, its symbol and ids in the registers.
        Units    the venue's update ids.
        Returns  True where they may; False where it is held for its snapshot or too old.
        Threads  the loop's thread only.
        Memory   a copy of the payload where it is held.
        Source   docs/design.md, "Books".
        """
        cdef int32_t symbol = <int32_t>self.stage.message.registers[route.splice_symbol].value.i
        cdef Delta delta
        cdef int answer
        if not self.stage.is_allowed(symbol):
            return True     # it has no rows, and no book
        delta = self.delta_of(route)
        answer = self.splice.admit(symbol, &delta)
        if answer == ADMIT:
            return True
        self.stage.rollback(route)
        if answer == HOLD:
            with gil:
                self.splice.hold(
                    symbol, &delta, payload[:n], connection.ts_recv_ns, connection.mono_ns,
                    connection.conn, connection,
                )
        return False

    cdef bint release(self) except -1:
        cdef HeldDelta held
        cdef Connection connection
        cdef const uint8_t* p
        cdef int32_t route = UNROUTED
        cdef Outcome outcome
        while (held := self.splice.next_due()) is not None:
            connection = held.origin
            p = held.payload
            self.stage.message.sender = &connection.sender
            outcome = self.router.decode(p, p + len(held.payload), &route)
            if outcome == FULL:
                return False
            # It was staged once before, so that only want of memory can make it fail now.
            if outcome != DONE:
                self.quarantine.keep(connection, held.ts_recv_ns, outcome, p, len(held.payload))
                self.splice.discard(held)
            elif self.splice.settle(held) != ADMIT:
                self.stage.rollback(&self.stage.program.routes[route])
            else:
                connection.n_written_bytes += self.publish(
                    held.conn, held.ts_recv_ns, held.mono_ns
                )
        return True

    cdef str take_snapshot(
        self, int32_t number, bytes payload, str symbol, object ts_recv, int32_t conn, bint early
    ):
        cdef RouteOp* route = &self.stage.program.routes[number]
        cdef int32_t code = self.symbols.code(symbol)
        cdef const uint8_t* p = payload
        cdef Outcome outcome = BAD_TEXT
        cdef int64_t last_id = -1
        cdef Sender sender = self.stage.no_sender
        if not self.splice.wants(code, early=early):
            return "unwanted"
        if tw_utf8_whole(p, len(payload)):
            sender.given_symbol = code
            self.stage.message.sender = &sender
            outcome = self.router.walker.run(number, p, p + len(payload), True)
            self.stage.message.sender = &self.stage.no_sender
        if outcome == FULL:
            return "full"
        if outcome == DONE:
            if (self.stage.message.have >> route.snapshot_id) & 1:
                last_id = self.stage.message.registers[route.snapshot_id].value.i
            if last_id < 0:
                self.stage.rollback(route)
                outcome = MISSING
        if outcome != DONE:
            begin = payload[:SHOWN_BYTES].decode("utf-8", "replace")
            raise DecodeError(
                reason_of(outcome), f"{self.venue} snapshot of {symbol}, which begins {begin!r}"
            )
        if not self.splice.fits(code, last_id):
            self.stage.rollback(route)
            return "old"
        self.publish(conn, ts_recv, mono_ns())
        self.splice.snapshot(code, last_id)
        self.release()
        return "spliced"

    cdef int64_t publish(self, int32_t conn, object ts_recv, object mono) except -1:
        return publish_staged(self.stage.targets, self.venue_code, conn, ts_recv, mono)
