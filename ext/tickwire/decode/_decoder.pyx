"""From payload to published rows: admission, and what becomes of messages that fail.

Rules of this file
------------------
- A message counts in full or not at all. Its rows are staged by the walk and seen by consumers only
  after `end_read`.
- Python is called only for what is rare: messages for the session, held deltas, quarantine.
- Books that need a snapshot are `_book_decoder`'s, trades that were missed `_backfill_decoder`'s.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from tickwire.decode._backfill_decoder cimport BackfillDecoder
from tickwire.decode._book_decoder cimport BookDecoder
from tickwire.decode._bytecode cimport (
    MAX_REGISTERS, ROUTE_DATA, ROUTE_IGNORE, RouteOp, bytecode_of,
)
from tickwire.decode._chain_decoder cimport ChainDecoder
from tickwire.decode._connection cimport Connection
from tickwire.decode._legs cimport Legs
from tickwire.decode._publish cimport publish_staged
from tickwire.decode._quarantine cimport Quarantine
from tickwire.decode._routing cimport UNROUTED, Router
from tickwire.decode._script cimport Script
from tickwire.decode._stage cimport (
    BAD_PACKED, BAD_TEXT, DONE, FULL, MISSING, NO_MEMORY, TOO_LONG, Outcome, Stage,
)
from tickwire.decode._targets cimport Targets
from tickwire.decode._unpacker cimport (
    UNPACK_NO_MEMORY, UNPACK_TOO_BIG, UNPACKED, Unpacked, Unpacker,
)
from tickwire.decode._walk cimport Walker
from tickwire.wire._handler cimport Verdict

from tickwire.clock import mono_ns
from tickwire.errors import PlanError
from tickwire.observe import Metrics

cdef extern from "tickwire/base/utf8.h" nogil:
    bint tw_utf8_whole(const uint8_t* p, size_t n)

cdef extern from "tickwire/base/clock.h" nogil:
    int64_t tw_mono_ns()

cdef enum:
    OPCODE_TEXT = 1
    LONGEST_LOOK = 1 << 16  # of a message that is shown

_EVENTS = ("data", "acknowledge", "error", "ping", "pong")


cdef class MessageLimit:
    """How many data messages are taken, counted over all decoders that share it.

    Parameters
    ----------
    most
        After the read that brings this one nothing more is taken; 0 for no end.
    """

    def __init__(self, most=0):
        self.most = most


cdef class Decoder:
    """Decodes the messages of one source into the rings of its feed."""

    def __init__(
        self,
        program,
        rings,
        dictionaries,
        *,
        venue,
        symbols=("*",),
        quarantine=None,
        splice=None,
        follower=None,
        checksums=None,
        read_to_ring=None,
        limit=None,
        metrics=None,
    ):
        for route in program.routes:
            for row_set in route.row_sets:
                name = program.tables[row_set.table].name
                if name not in rings:
                    raise PlanError(f"{venue}.{route.name}: there is no ring for {name!r}")
        self.program = program
        self.venue = venue
        self.venue_code = dictionaries.venue.code(venue)
        self.symbols = dictionaries.symbol
        self.bytecode = bytecode_of(program, dictionaries)
        self.targets = Targets([rings.get(table.name) for table in program.tables])
        named = None if "*" in symbols else [self.symbols.code(symbol) for symbol in symbols]
        self.stage = Stage(self.bytecode, self.targets, named)
        self.walker = Walker(self.stage, dictionaries)
        self.router = Router(self.walker)
        most = max((route.packed_most_bytes for route in program.routes), default=0)
        if most:
            self.unpacker = Unpacker(most)
            # Of a walker of its own: the scripts of the one are nothing for the other.
            self.inner_router = Router(Walker(self.stage, dictionaries))
        self.read_to_ring = read_to_ring
        if metrics is None:
            metrics = Metrics(labels={"source": "", "venue": venue})
        self.n_messages = metrics.counter("messages")
        self.n_bytes = metrics.counter("message_bytes")
        self.n_unknown = metrics.counter("unknown_messages")
        self.n_unrequested = metrics.counter("unrequested_messages")
        self.quarantine = Quarantine(venue, quarantine, metrics)
        if splice is not None:
            self.books = BookDecoder(
                splice, self.router, self.quarantine, self.symbols, self.venue_code
            )
        self.backfills = BackfillDecoder(self.walker, program, self.symbols, venue, self.venue_code)
        if follower is not None:
            sides = dictionaries.of("side")
            self.chains = ChainDecoder(follower, checksums, self.stage, program, sides)
        self.limit = MessageLimit() if limit is None else limit
        self.repeats = <uint8_t*>calloc(max(len(program.routes), 1), 1)
        self.brings_books = <uint8_t*>calloc(max(len(program.routes), 1), 1)
        self.looks = <uint8_t*>calloc(len(program.routes) + 1, 1)
        if self.repeats == NULL or self.brings_books == NULL or self.looks == NULL:
            raise MemoryError
        for number, route in enumerate(program.routes):
            self.repeats[<int>number] = program.repeats(route)
            self.brings_books[<int>number] = any(
                each.spliced is not None for each in (route, *program.inside(number))
            )

    def __dealloc__(self):
        free(self.repeats)
        free(self.brings_books)
        free(self.looks)

    @property
    def messages(self):
        """Data messages, whatever became of them."""
        return self.n_messages.value + self.n_in_read  # the registry has those of whole reads

    @property
    def unknown_messages(self):
        """Messages of no declared kind."""
        return self.n_unknown.value

    @property
    def unrequested_messages(self):
        """Messages of a declared kind whose table is not among the source's."""
        return self.n_unrequested.value

    @property
    def errors(self):
        """Messages that could not be decoded, by reason."""
        return self.quarantine.counts()

    @property
    def scripted(self):
        """Messages that scripts have read, by declaration; those without a script are left out."""
        hits = self.walker.scripts.hits
        if self.inner_router is not None:
            inner = self.inner_router.scripts.hits
            hits = [n if of is None else of for n, of in zip(hits, inner, strict=True)]
        return {
            route.name: n
            for route, n in zip(self.program.routes, hits, strict=True)
            if n is not None
        }

    @property
    def cached_levels(self):
        """Levels of books whose text was known from before, so that it was not read again."""
        return self.walker.cached_levels

    @property
    def unreadable_values(self):
        """Optional values that could not be read and are null, by table and column."""
        counts = {}
        for number, route in enumerate(self.program.routes):
            for register, column in route.optional.items():
                n = self.stage.unreadable[number * MAX_REGISTERS + register]
                if n:
                    counts[column] = counts.get(column, 0) + n
        return counts

    @property
    def optional_columns(self):
        """Tables and columns whose values may be null where they cannot be read."""
        return sorted({name for route in self.program.routes for name in route.optional.values()})

    @property
    def duplicate_trades(self):
        """Trades left out because they had been delivered: their id, time and price."""
        return self.stage.seen.duplicates

    @property
    def conflicting_trades(self):
        """Trades written though one of their id, of another time or price, had been delivered."""
        return self.stage.seen.conflicts

    @property
    def seen(self):
        """The ids of the trades that were delivered."""
        return self.stage.seen

    @property
    def memories(self):
        """The memory of `seen` for each table and channel, as rows name it; None: for any."""
        aliases = self.program.aliases
        return {
            (self.program.tables[table].name, aliases.get(channel, channel)): memory
            for (table, channel), memory in self.bytecode.once.items()
        }

    @property
    def unconfigured_rows(self):
        """Rows of symbols that the source does not name, by table; none of them was written."""
        return {
            table.name: self.stage.unconfigured[target]
            for target, table in enumerate(self.program.tables)
            if self.stage.unconfigured[target]
        }

    def kind_of(self, payload):
        """Give the name of the declaration that a message is one of; None: of none.

        Parameters
        ----------
        payload
            The message, bytes.
        """
        cdef bytes text = payload
        cdef const uint8_t* p = text
        cdef int32_t route = UNROUTED
        if tw_utf8_whole(p, len(text)):
            route = self.router.route_of(p, p + len(text))
        return None if route == UNROUTED else self.program.routes[route].name

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
        self.stage.message.labels = connection.own_labels()
        self.stage.message.given_symbol = connection.given_symbol
        if not self.router.fits(script, payload, payload + n):
            outcome = self.router.decode(payload, payload + n, &route)
            if self.n_looks and outcome != FULL:
                self.look(route, payload, n)
        else:
            self.router.follow(script)
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

    cdef bint drain(self, ConnectionDecoder connection) noexcept nogil:
        """Deltas that were held come before newer ones; False: a ring is full."""
        self.publish(connection)
        with gil:
            return self.books.release()

    cdef void look(self, int32_t route, const uint8_t* payload, size_t n) noexcept nogil:
        """Show a message to `on_look`, if none of its kind has been shown since `request_looks`."""
        if not self.looks[route + 1] or n > LONGEST_LOOK:
            return
        self.looks[route + 1] = False
        self.n_looks -= 1
        with gil:
            name = None if route == UNROUTED else self.program.routes[route].name
            self.on_look(name, payload[:n])

    def request_looks(self, on_look):
        """Have a message of each kind shown that has to be read as if it was the first one.

        What is read as the one before of its kind was has the same keys, and is not shown.

        Parameters
        ----------
        on_look
            Called with the name of the kind, None where it is unknown, and the text; it must not
            raise.
        """
        self.on_look = on_look
        self.n_looks = len(self.program.routes) + 1
        memset(self.looks, True, self.n_looks)

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
                        connection.add_event(_EVENTS[route.kind], payload, n)
                return Verdict.TAKEN
            if outcome != DONE:
                return self.refuse(connection, outcome, payload, n)
            if not route.requested:
                self.n_unrequested.count(1)
            elif route.packed >= 0:
                return self.settle_inner(connection, number, payload, n)
            elif route.spliced and (self.books is not None or self.chains is not None):
                if not (self.stage.message.have >> route.splice_symbol) & 1:
                    self.stage.rollback(route)
                    return self.refuse(connection, MISSING, payload, n)
                if connection.has_ended:
                    self.stage.rollback(route)
                elif self.books is not None:
                    self.books.admit(connection, route, payload, n)
                else:
                    self.chains.admit(connection, route, payload, n)
        return self.count(connection, n)

    cdef int settle_inner(self, ConnectionDecoder connection, int32_t holder,
                          const uint8_t* payload, size_t n) noexcept nogil:
        """Decode the message inside of one, and decide what becomes of both.

        Shape    the payload of the one that holds it, n bytes, whose text is in a register.
        Units    bytes.
        Returns  a Verdict, as `take`; offered again, it is unpacked again.
        Threads  the loop's thread only.
        Memory   the unpacker's.
        Source   the theory in `_unpacker.pxd`.
        """
        cdef RouteOp* route = &self.bytecode.routes[holder]
        cdef const uint8_t* text
        cdef size_t n_text
        cdef Outcome outcome = DONE
        cdef Script* script
        cdef int32_t number = UNROUTED
        if not (self.stage.message.have >> route.packed) & 1:
            return self.refuse(connection, MISSING, payload, n)
        if not self.stage.plain(&self.stage.message.registers[route.packed], &text, &n_text):
            return self.refuse(connection, self.stage.message.outcome, payload, n)
        outcome = self.unpack(route, &text, &n_text)
        if outcome != DONE:
            return self.refuse(connection, outcome, payload, n)
        if self.inner_router.inside != holder:
            self.inner_router.inside = holder
            self.inner_router.last = UNROUTED
        script = self.inner_router.script
        if script != NULL and script.route.inside == holder \
                and self.inner_router.fits(script, text, text + n_text):
            self.inner_router.follow(script)
            number = script.number
        else:
            outcome = self.inner_router.decode(text, text + n_text, &number)
            if self.n_looks and outcome != FULL:
                self.look(number, text, n_text)
        if outcome == FULL:
            return Verdict.BLOCKED
        if outcome != DONE:
            return self.refuse(connection, outcome, payload, n)
        if number == UNROUTED:
            self.n_unknown.count(1)
        elif not self.bytecode.routes[number].requested:
            self.n_unrequested.count(1)
        elif self.bytecode.routes[number].spliced and self.chains is not None:
            route = &self.bytecode.routes[number]
            if not (self.stage.message.have >> route.splice_symbol) & 1:
                self.stage.rollback(route)
                return self.refuse(connection, MISSING, payload, n)
            if connection.has_ended:
                self.stage.rollback(route)
            else:
                self.chains.admit(connection, route, text, n_text)
        return self.count(connection, n)

    cdef Outcome unpack(self, RouteOp* route, const uint8_t** text, size_t* n) noexcept nogil:
        """What a text holds, where that is a text too."""
        cdef Unpacked result = self.unpacker.unpack(
            route.packed_form, text[0], n[0], route.packed_most_bytes
        )
        if result == UNPACK_TOO_BIG:
            return TOO_LONG
        if result == UNPACK_NO_MEMORY:
            return NO_MEMORY
        if result != UNPACKED:
            return BAD_PACKED
        text[0] = self.unpacker.text
        n[0] = self.unpacker.n_text
        return DONE if tw_utf8_whole(text[0], n[0]) else BAD_TEXT

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

    def take_snapshot(self, message, payload, *, symbol, ts_recv, conn, early=False):
        """Decode a REST answer; splice it into its book and publish what was held for it.

        What does not fit then waits for `release_held`, and goes before the next message.

        Parameters
        ----------
        message
            Name of the declaration, of kind `snapshot`.
        payload
            The answer's body, bytes.
        symbol
            What `given()` means.
        ts_recv
            When it came, ns since the epoch.
        conn
            The connection of its rows.
        early
            Take it before the first delta too.

        Returns
        -------
        str
            `spliced`; `unwanted`: the book has no need of it; `old`: fetch a newer one; `full`: a
            ring is full: offer it again.

        Raises
        ------
        PlanError
            There is no such message, or no book is spliced.
        DecodeError
            The answer cannot be decoded.
        """
        for number, route in enumerate(self.program.routes):
            if route.name == message and route.kind == "snapshot" and self.books is not None:
                return self.books.take_snapshot(
                    number, bytes(payload), symbol, ts_recv, conn, early
                )
        raise PlanError(f"{self.venue}: no snapshot message {message!r}")

    def release_held(self):
        """Publish the held deltas that have their snapshot.

        Returns
        -------
        bool
            False where a ring is full: try again.
        """
        return self.books is None or self.books.release()

    def wait_for_room(self, callback):
        """Have `callback` called when a consumer makes room in a ring that had none."""
        return self.targets.wait_for_room(callback)

    def forget_room(self, callback):
        """Take back what `wait_for_room` asked for."""
        self.targets.forget_room(callback)


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
        self.given_symbol = -1 if symbol is None else decoder.symbols.code(symbol)

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        # Text is UTF-8 already (RFC 6455 section 8.1); a binary message may be anything.
        if opcode != OPCODE_TEXT and not tw_utf8_whole(payload, n):
            if self.decoder.limit.spent:
                return Verdict.HALT
            return self.decoder.refuse(self, BAD_TEXT, payload, n)
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
