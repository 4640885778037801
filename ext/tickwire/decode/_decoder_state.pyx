"""A source's decoder: its parts, as the program asks for them, and what it has counted.

Rules of this file
------------------
- Nothing here runs per message; `_decoder` does, and counts into the fields.
"""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free

from tickwire.decode._backfill_decoder cimport BackfillDecoder
from tickwire.decode._book_decoder cimport BookDecoder
from tickwire.decode._bytecode cimport MAX_REGISTERS, bytecode_of
from tickwire.decode._chain_decoder cimport ChainDecoder
from tickwire.decode._connection cimport Connection
from tickwire.decode._inner_decoder cimport InnerDecoder
from tickwire.decode._looks cimport Looks
from tickwire.decode._numbers cimport Numbers
from tickwire.decode._quarantine cimport Quarantine
from tickwire.decode._routing cimport UNROUTED, Router
from tickwire.decode._stage cimport DICTIONARY_FULL, MISSING, Outcome, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._walk cimport Walker

from tickwire.decode.naming import named_in
from tickwire.errors import DictionaryFull, PlanError
from tickwire.observe import Metrics

cdef extern from "tickwire/base/utf8.h" nogil:
    bint tw_utf8_whole(const uint8_t* p, size_t n)


cdef class MessageLimit:
    """How many data messages are taken, counted over all decoders that share it.

    Parameters
    ----------
    most
        After the read that brings this one nothing more is taken; 0 for no end.
    """

    def __init__(self, most=0):
        self.most = most


cdef class DecoderState:
    """What a source's decoder consists of, and its figures; `Decoder` is the rest of it."""

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
        # What is not requested is not unpacked, and most sources of a venue request none of it.
        most = max(
            [route.packed_most_bytes for route in program.routes if route.requested], default=0
        )
        if most:
            self.inner = InnerDecoder(Walker(self.stage, dictionaries), most)
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
        self.n_of_route = <int64_t*>calloc(max(len(program.routes), 1), sizeof(int64_t))
        if self.repeats == NULL or self.brings_books == NULL or self.n_of_route == NULL:
            raise MemoryError
        for number, route in enumerate(program.routes):
            self.repeats[<int>number] = program.repeats(route)
            self.brings_books[<int>number] = any(
                each.spliced is not None for each in (route, *program.inside(number))
            )
        self.looks = Looks([route.name for route in program.routes])

    def __dealloc__(self):
        free(self.repeats)
        free(self.brings_books)
        free(self.n_of_route)

    cdef int name_number(self, Connection connection, int32_t route, bytes payload) except -1:
        cdef Outcome outcome = MISSING
        paths = self.program.naming.get(route)
        if paths is None:
            return 0
        found = named_in(paths, payload)
        if found is not None:
            if connection.numbers is None:
                connection.numbers = Numbers()
                connection.sender.numbers = &connection.numbers.table
            try:
                connection.numbers.put(found[0], self.symbols.code(found[1]))
                return 0
            except (DictionaryFull, ValueError):
                outcome = DICTIONARY_FULL
        self.quarantine.keep(connection, connection.ts_recv_ns, outcome, payload, len(payload))
        return 0

    @property
    def messages(self):
        """Data messages, whatever became of them."""
        return self.n_messages.value + self.n_in_read  # the registry has those of whole reads

    def messages_by_kind(self):
        """Messages of each declared kind, whatever became of them; those inside of others not."""
        routes = self.program.routes
        return {route.name: self.n_of_route[<int>n] for n, route in enumerate(routes)}

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
        if self.inner is not None:
            inner = self.inner.router.scripts.hits
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
