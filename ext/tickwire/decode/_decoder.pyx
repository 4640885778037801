"""From payload to published rows: admission, and what becomes of messages that fail.

Rules of this file
------------------
- A message counts in full or not at all. Its rows are staged by the walk and seen by consumers only
  after `end_read`.
- Python is called only for what is rare: messages for the session, held deltas, quarantine.
- Books that need a snapshot are `_book_decoder`'s, trades that were missed `_backfill_decoder`'s,
  messages inside of others `_inner_decoder`'s.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tickwire.decode._bytecode cimport ROUTE_DATA, ROUTE_IGNORE, RouteOp
from tickwire.decode._connection cimport Connection
from tickwire.decode._decoder_state cimport DecoderState
from tickwire.decode._legs cimport Legs
from tickwire.decode._publish cimport publish_staged
from tickwire.decode._routing cimport UNROUTED
from tickwire.decode._script cimport Script
from tickwire.decode._stage cimport BAD_TEXT, DONE, FULL, MISSING, Outcome
from tickwire.wire._handler cimport Verdict

from tickwire.clock import mono_ns

cdef extern from "tickwire/base/utf8.h" nogil:
    bint tw_utf8_whole(const uint8_t* p, size_t n)

cdef extern from "tickwire/base/clock.h" nogil:
    int64_t tw_mono_ns()

cdef enum:
    OPCODE_TEXT = 1

_EVENTS = ("data", "acknowledge", "error", "ping", "pong")


cdef class Decoder(DecoderState):
    """Decodes the messages of one source into the rings of its feed."""

    def connection(self, conn, *, labels=None, symbol=None):
        """Make the handler of a connection.

        Parameters
        ----------
        conn
            Its number.
        labels
            Channels of the plan to what they are called on it.
        symbol
            What `given()` means in its messages.
        """
        return ConnectionDecoder(self, conn, labels, symbol)

    cdef inline int take(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
            noexcept nogil:
        """Decode one message of a connection.

        Shape    one payload of n bytes, UTF-8.
        Units    bytes.
        Returns  a Verdict: TAKEN, BLOCKED where a ring is full, HALT past the limit.
        Threads  the loop's thread only.
        Memory   the payload is borrowed; rows go into the rings.
        Source   docs/design.md, "From messages to rows".
        """
        cdef Script* script = self.router.script
        cdef int32_t route = self.router.last
        cdef Outcome outcome = DONE
        if self.limit.spent:
            return Verdict.HALT
        if self.books is not None and self.books.splice.n_releasing and not self.drain(connection):
            return Verdict.BLOCKED
        self.stage.message.sender = &connection.sender
        if not self.router.fits(script, payload, payload + n):
            outcome = self.router.decode(payload, payload + n, &route)
            if self.looks.n_due and outcome != FULL:
                self.looks.look(route, payload, n)
            if route != UNROUTED and outcome != FULL:
                self.n_of_route[route] += 1
        else:
            self.router.follow(script)
            self.n_of_route[script.number] += 1
            if script.route.is_plain:
                return self.count(connection, n)
            route = script.number
        return self.settle(connection, route, outcome, payload, n)

    cdef int take_of_leg(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
            noexcept nogil:
        """Decode one message of a connection that is a leg, if it is no copy of another leg's.

        Shape    one payload of n bytes, UTF-8.
        Units    bytes.
        Returns  as `take`; a copy is TAKEN.
        Threads  the loop's thread only.
        Memory   see `take` and `Legs.note`.
        Source   the theory of legs, in `_legs.pxd`.
        """
        cdef uint64_t hash
        cdef int64_t n_before = self.n_in_read
        cdef int64_t n_refused = self.n_refused
        cdef int32_t route
        cdef int verdict
        cdef int32_t book = -1
        if self.chains is not None:
            hash = self.chains.hash_of(connection.leg, payload, n)
        else:
            hash = connection.leg.hash_of(payload, n)
        if not self.limit.spent and connection.leg.is_copy(hash, connection.mono_ns):
            book = connection.leg.legs.copied_book
            if self.chains is None or book < 0 or self.chains.follower.has(
                book, connection.leg.legs.copied_ns
            ):
                connection.note_message()
                if self.chains is not None:
                    self.chains.count_copy(connection)
                    if book >= 0:
                        self.chains.follower.keep_step(book, connection.conn)
                return Verdict.TAKEN
        book = -1
        if self.chains is not None:
            self.chains.admitted = -1
            self.chains.hash = hash
        verdict = self.take(connection, payload, n)
        if self.chains is not None:
            self.chains.hash = 0
            if self.chains.follower.takes_turns:
                book = self.chains.admitted
        # What cannot be decoded may be one leg's fault alone.
        route = self.router.last
        if self.n_in_read != n_before and self.n_refused == n_refused and not (
            # A change that was not taken may come again by a connection whose turn it is.
            book < 0 and self.chains is not None and route != UNROUTED
            and self.brings_books[route]
        ):
            connection.leg.note(
                hash, connection.mono_ns, route != UNROUTED and self.repeats[route], book
            )
        return verdict

    cdef int take_binary(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
            noexcept nogil:
        """Decode one message that may be anything: only text is UTF-8 already (RFC 6455, 8.1)."""
        if tw_utf8_whole(payload, n):
            return connection.on_message(OPCODE_TEXT, payload, n)
        if self.limit.spent:
            return Verdict.HALT
        return self.refuse(connection, BAD_TEXT, payload, n)

    cdef bint drain(self, ConnectionDecoder connection) noexcept nogil:
        """Deltas that were held come before newer ones; False: a ring is full."""
        self.publish(connection)
        with gil:
            return self.books.release()

    def request_looks(self, on_look):
        """Have a message of each kind shown that has to be read as if it was the first one.

        What is read as the one before of its kind was has the same keys, and is not shown.

        Parameters
        ----------
        on_look
            Called with the name of the kind, None where it is unknown, and the text; it must not
            raise.
        """
        self.looks.request(on_look)

    cdef inline int count(self, ConnectionDecoder connection, size_t n) noexcept nogil:
        """A data message of n bytes is done with."""
        self.n_in_read += 1
        self.bytes_in_read += n
        connection.note_message()
        return Verdict.TAKEN

    cdef int settle(self, ConnectionDecoder connection, int32_t number, Outcome outcome,
                    const uint8_t* payload, size_t n) noexcept nogil:
        """Count a message and decide what becomes of it."""
        cdef RouteOp* route
        if outcome == FULL:
            return Verdict.BLOCKED
        if self.chains is not None and not self.chains.count(connection, number, outcome):
            self.stage.rollback(&self.bytecode.routes[number])
            return self.count(connection, n)
        if number == UNROUTED and outcome != DONE:
            return self.refuse(connection, outcome, payload, n)
        if number == UNROUTED:
            self.n_unknown.count(1)
        else:
            route = &self.bytecode.routes[number]
            if route.kind != ROUTE_DATA:
                if outcome != DONE:
                    return self.refuse(connection, outcome, payload, n)
                if route.kind != ROUTE_IGNORE:
                    with gil:
                        if self.program.naming:
                            self.name_number(connection, number, payload[:n])
                        connection.add_event(_EVENTS[route.kind], payload, n)
                return Verdict.TAKEN
            if outcome != DONE:
                return self.refuse(connection, outcome, payload, n)
            if not route.requested:
                self.n_unrequested.count(1)
            elif route.packed >= 0:
                return self.settle_inner(connection, number, payload, n)
            elif route.spliced and not self.admit(connection, route, payload, n):
                return self.refuse(connection, MISSING, payload, n)
        return self.count(connection, n)

    cdef bint admit(self, ConnectionDecoder connection, RouteOp* route, const uint8_t* text,
                    size_t n) noexcept nogil:
        """Have a book's change published, held or taken back; False where its symbol is missing."""
        if self.books is None and self.chains is None:
            return True
        if not (self.stage.message.have >> route.splice_symbol) & 1:
            self.stage.rollback(route)
            return False
        if connection.has_ended:
            self.stage.rollback(route)
        elif self.books is not None:
            self.books.admit(connection, route, text, n)
        else:
            self.chains.admit(connection, route, text, n)
        return True

    cdef int settle_inner(self, ConnectionDecoder connection, int32_t holder,
                          const uint8_t* payload, size_t n) noexcept nogil:
        """Decode the message inside of one, and decide what becomes of both."""
        cdef RouteOp* route
        cdef const uint8_t* text
        cdef size_t n_text
        cdef int32_t number = UNROUTED
        cdef Outcome outcome = self.inner.decode(&self.bytecode.routes[holder], holder, &number)
        text = self.inner.unpacker.text
        n_text = self.inner.unpacker.n_text
        if self.looks.n_due and self.inner.is_new:
            self.looks.look(number, text, n_text)
        if outcome == FULL:
            return Verdict.BLOCKED
        if outcome != DONE:
            return self.refuse(connection, outcome, payload, n)
        if number == UNROUTED:
            self.n_unknown.count(1)
            return self.count(connection, n)
        route = &self.bytecode.routes[number]
        if not route.requested:
            self.n_unrequested.count(1)
        elif route.spliced and self.chains is not None \
                and not self.admit(connection, route, text, n_text):
            return self.refuse(connection, MISSING, payload, n)
        return self.count(connection, n)

    cdef int refuse(self, ConnectionDecoder connection, Outcome outcome, const uint8_t* payload,
                    size_t n) noexcept nogil:
        """Quarantine a message that cannot be decoded; the feed goes on."""
        self.n_refused += 1
        with gil:
            self.quarantine.keep(connection, connection.ts_recv_ns, outcome, payload, n)
        return self.count(connection, n)

    cdef void publish(self, ConnectionDecoder connection) noexcept nogil:
        """Publish what a read has brought so far."""
        connection.n_written_bytes += publish_staged(
            self.targets, self.venue_code, connection.conn, connection.ts_recv_ns,
            connection.mono_ns,
        )

    cdef void end(self, ConnectionDecoder connection) noexcept nogil:
        """Publish what a read has brought, and count it."""
        self.publish(connection)
        if self.n_in_read == 0:
            return
        if self.read_to_ring is not None:
            self.read_to_ring.record(tw_mono_ns() - connection.mono_ns, self.n_in_read)
        self.n_messages.count(self.n_in_read)
        self.n_bytes.count(self.bytes_in_read)
        self.limit.taken += self.n_in_read
        self.n_in_read = self.bytes_in_read = 0
        if self.limit.most and self.limit.taken >= self.limit.most:
            self.limit.spent = True


cdef class ConnectionDecoder(Connection):
    """The handler of one connection; made by `Decoder.connection`."""

    def __init__(self, Decoder decoder, conn, labels=None, symbol=None):
        codes = decoder.walker.reader.channels.code
        # What the source's aliases made of the plan's name is what the rows would have.
        plans = decoder.program.aliases
        Connection.__init__(
            self, conn,
            {codes(plans.get(plan, plan)): codes(name) for plan, name in (labels or {}).items()},
        )
        self.decoder = decoder
        if symbol is not None:
            self.sender.given_symbol = decoder.symbols.code(symbol)

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        if opcode != OPCODE_TEXT:
            return self.decoder.take_binary(self, payload, n)
        if self.leg is not None:
            return self.decoder.take_of_leg(self, payload, n)
        return self.decoder.take(self, payload, n)

    cdef void begin_read(self, int64_t ts_recv_ns, int64_t ts_mono_ns) noexcept nogil:
        self.ts_recv_ns = ts_recv_ns
        self.mono_ns = ts_mono_ns
        if self.decoder.targets.is_due:
            self.decoder.targets.rewind()

    cdef void end_read(self) noexcept nogil:
        self.decoder.end(self)

    def join(self, Legs legs, int number, *, bint is_complete=True):
        """Be a leg from now on: what another leg has brought is left out.

        Parameters
        ----------
        legs
            Those of the connections that ask for the same.
        number
            The leg's, 0 to 7.
        is_complete
            Whether it is to bring all from now on; else from `leg.complete()` on.
        """
        self.leave()
        self.leg = legs.join(number, is_complete=is_complete)

    def leave(self):
        """Be no leg any more."""
        if self.leg is not None:
            self.leg.leave()
            self.leg = None

    def wait_for_room(self, callback):
        """Have `callback` called when a consumer makes room in a ring that had none."""
        return self.decoder.targets.wait_for_room(callback)

    def forget_room(self, callback):
        """Take back what `wait_for_room` asked for."""
        self.decoder.targets.forget_room(callback)

    def decode(self, payload, ts_recv, mono=None):
        """Decode and publish one message outside a carrier.

        Parameters
        ----------
        payload
            The message, any bytes-like object.
        ts_recv
            ns since the epoch.
        mono
            Monotonic ns of its arrival; now when None.

        Returns
        -------
        bool
            False where a ring is full: offer it again.
        """
        cdef Py_buffer view
        cdef int verdict
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            self.begin_read(ts_recv, mono_ns() if mono is None else mono)
            verdict = self.on_message(0, <const uint8_t*>view.buf, <size_t>view.len)
            self.end_read()
        finally:
            PyBuffer_Release(&view)
        return verdict != Verdict.BLOCKED
