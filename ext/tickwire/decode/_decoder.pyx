"""From payload to published rows: routing, admission, what becomes of messages that fail.

Rules of this file
------------------
- A message counts in full or not at all. Its rows are staged by the walk and seen by consumers only
  after `end_read`.
- The route is guessed from the beginning of the message, and the guess is proved by the walk, which
  observes all that routing looks at. A wrong guess costs time, never a row.
- Python is called only for what is rare: messages for the session, held deltas, quarantine.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport INT64_MIN, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from tickwire.decode._lowered cimport (
    ROUTE_DATA, ROUTE_IGNORE, ROUTE_SNAPSHOT, Range, RouteOp, lowered_of,
)
from tickwire.decode._script cimport Script, may_fit
from tickwire.decode._stage cimport (
    BAD_TEXT, DONE, FULL, MAX_LABELS, MISSING, Outcome, Stage,
)
from tickwire.decode._targets cimport Target, Targets
from tickwire.decode._values cimport TEXT_STRING, Register, Text, tw_string_end
from tickwire.decode._walk cimport Walker
from tickwire.ring._admission cimport Admit
from tickwire.wire._handler cimport Handler, Verdict

from collections import deque

from tickwire.clock import mono_ns
from tickwire.errors import DecodeError, PlanError

cdef extern from "tickwire/utf8.h" nogil:
    ctypedef struct tw_utf8:
        uint8_t need
    int tw_utf8_check(tw_utf8* state, const uint8_t* p, size_t n)

cdef extern from "tickwire/clock.h" nogil:
    int64_t tw_mono_ns()

cdef extern from "tickwire/bits.h" nogil:
    int tw_lowest_bit(uint64_t value)

cdef extern from "tickwire/fill.h" nogil:
    void tw_fill_64(int64_t* column, int64_t n, int64_t value)
    void tw_fill_32(int32_t* column, int64_t n, int32_t value)
    void tw_fill_16(int16_t* column, int64_t n, int16_t value)

cdef enum:
    UNROUTED = -1
    OPCODE_TEXT = 1
    COLUMN_VENUE = 1
    COLUMN_TS_RECV = 4
    COLUMN_CONN = 5

_REASONS = (
    "", "not_json", "missing", "wrong_kind", "bad_number", "bad_time", "unknown_choice", "bad_text",
    "too_long", "too_many_rows", "dictionary_full", "no_memory",
)
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
        admission=None,
        read_to_ring=None,
        limit=None,
        hold_bytes=67_108_864,
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
        self.lowered = lowered_of(program, dictionaries)
        self.targets = Targets([rings.get(table.name) for table in program.tables])
        named = None if "*" in symbols else [self.symbols.code(symbol) for symbol in symbols]
        self.stage = Stage(self.lowered, self.targets, named)
        self.walker = Walker(self.stage, dictionaries)
        self.reader = self.walker.reader
        self.admission = admission
        self.read_to_ring = read_to_ring
        self.quarantine = quarantine
        self.limit = MessageLimit() if limit is None else limit
        self.hold_bytes = hold_bytes
        self.last_route = UNROUTED
        self._errors = {}
        self.held = {}
        self.draining = {}
        for i in range(N_GUESSES):
            self.guesses[i].route = UNROUTED
        self.proofs = <Proof*>calloc(max(self.lowered.n_routes, 1), sizeof(Proof))
        if self.proofs == NULL:
            raise MemoryError
        for i in range(self.lowered.n_routes):
            self.proofs[i].n_texts = -1
            self.proofs[i].observed = self._observed_by(&self.lowered.routes[i])

    def __dealloc__(self):
        free(self.proofs)

    cdef uint64_t _observed_by(self, RouteOp* route):
        """Registers that routing looks at before it takes this route, a bit each."""
        cdef uint64_t observed = self._observed_in(route.tests)
        cdef int32_t* numbers = &self.lowered.numbers[route.rivals.first]
        cdef Range tests
        for i in range(0, route.rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            observed |= self._observed_in(tests)
        return observed

    cdef uint64_t _observed_in(self, Range tests):
        cdef uint64_t observed = 0
        for i in range(tests.n):
            observed |= <uint64_t>1 << self.lowered.tests[tests.first + i].register
        return observed

    @property
    def errors(self):
        """Messages that could not be decoded, by reason."""
        return dict(self._errors)

    @property
    def scripted(self):
        """Messages that scripts have read, by declaration; those without a script are left out."""
        hits = self.walker.scripts.hits
        return {
            route.name: n
            for route, n in zip(self.program.routes, hits, strict=True)
            if n is not None
        }

    def connection(self, conn, *, labels=None):
        """Make the handler of a connection."""
        return ConnectionDecoder(self, conn, labels)

    cdef inline int take(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
            noexcept nogil:
        """Decode one message of a connection.

        Shape    one payload of n bytes, UTF-8.
        Units    bytes.
        Returns  a Verdict: TAKEN, BLOCKED where a ring has no room, HALT past the limit.
        Threads  the loop's thread only.
        Memory   the payload is borrowed; rows go into the rings.
        Source   docs/design.md, "From messages to rows".
        """
        cdef int32_t route = self.last_route
        cdef Outcome outcome
        if self.limit.spent:
            return Verdict.HALT
        if self.n_draining and not self.drain(connection):
            return Verdict.BLOCKED
        self.stage.message.labels = &connection.labels if connection.labels.n else NULL
        if route != UNROUTED and may_fit(self.walker.scripts.at[route], payload, payload + n) \
                and self.performed(route, payload, payload + n):
            if self.lowered.routes[route].is_plain:
                return self.count(connection, n)
            outcome = DONE
        else:
            outcome = self.decode(payload, payload + n, &route)
        return self.settle(connection, route, outcome, payload, n)

    cdef bint drain(self, ConnectionDecoder connection) noexcept nogil:
        """Deltas that were held come before whatever is newer; False: there is no room."""
        self.publish(connection)
        with gil:
            return self._drain()

    cdef inline int count(self, ConnectionDecoder connection, size_t n) noexcept nogil:
        """A data message of n bytes is done with."""
        self.messages += 1
        self.n_in_read += 1
        self.bytes += n
        connection.note_message()
        return Verdict.TAKEN

    cdef Outcome decode(self, const uint8_t* p, const uint8_t* end, int32_t* route) noexcept nogil:
        """Stage a message's rows; `route` tells by which declaration, UNROUTED by none.

        The script of the last message's route does not fit it.
        """
        cdef Outcome outcome = DONE
        cdef uint64_t hash = 0
        cdef int32_t last = self.last_route
        cdef int32_t guessed = self.guess(p, end, &hash)
        if guessed != UNROUTED:
            if guessed != last and may_fit(self.walker.scripts.at[guessed], p, end) \
                    and self.performed(guessed, p, end):
                self.last_route = guessed
                route[0] = guessed
                return DONE
            outcome = self.walker.run(guessed, p, end, False)
            if outcome == FULL:
                route[0] = guessed
                return FULL
            if outcome == DONE:
                if self.verified(guessed):
                    self.last_route = guessed
                    self.walker.scripts.missed(guessed, self.proofs[guessed].observed)
                    route[0] = guessed
                    return DONE
                self.stage.take_back(&self.lowered.routes[guessed])
        route[0] = self.route_of(p, end)
        if route[0] == UNROUTED:
            return self.stage.message.outcome
        if self.lowered.routes[route[0]].is_raw:
            return DONE
        if hash:
            self.guesses[hash & (N_GUESSES - 1)].hash = hash
            self.guesses[hash & (N_GUESSES - 1)].route = route[0]
            self.prefix_bytes = 0
        self.last_route = route[0]
        return self.walker.run(route[0], p, end, True)

    cdef inline bint performed(self, int32_t number, const uint8_t* p, const uint8_t* end) \
            noexcept nogil:
        """Stage a message's rows by the script of a route, if it is one of that route."""
        cdef Script* script = self.walker.scripts.at[number]
        if not self.walker.perform(number, p, end):
            return False
        if script.proved or self.verified(number):
            return True
        script.hits -= 1
        self.stage.take_back(&self.lowered.routes[number])
        return False

    cdef inline int32_t guess(self, const uint8_t* p, const uint8_t* end, uint64_t* hash) \
            noexcept nogil:
        """The route of the last message with this beginning: `{"key":"value"`, without spaces."""
        cdef const uint8_t* stop
        cdef bint escaped
        cdef uint64_t word, made
        cdef Guess* entry
        cdef const uint8_t* start = p
        if self.prefix_bytes and <size_t>(end - p) >= self.prefix_bytes and memcmp(
            p, self.prefix, self.prefix_bytes
        ) == 0:
            hash[0] = self.prefix_guess.hash
            return self.prefix_guess.route
        if end - p < 8 or p[0] != c'{' or p[1] != c'"':
            return self.last_route
        stop = tw_string_end(p + 2, end, &escaped)
        if stop == NULL or end - stop < 4 or stop[1] != c':' or stop[2] != c'"':
            return self.last_route
        stop = tw_string_end(stop + 3, end, &escaped)
        if stop == NULL or stop - p >= LONGEST_GUESS:
            return self.last_route
        made = <uint64_t>(stop - p)
        while stop - p >= 8:
            memcpy(&word, p, 8)
            made = (made ^ word) * <uint64_t>0x9E3779B97F4A7C15
            made ^= made >> 29
            p += 8
        word = 0
        memcpy(&word, p, stop - p)
        made = (made ^ word) * <uint64_t>0x9E3779B97F4A7C15
        made ^= made >> 32
        hash[0] = made | 1
        entry = &self.guesses[hash[0] & (N_GUESSES - 1)]
        if entry.hash != hash[0]:
            return UNROUTED
        self.prefix_bytes = <size_t>(stop + 1 - start)
        memcpy(self.prefix, start, self.prefix_bytes)
        self.prefix_guess = entry[0]
        return entry.route

    cdef int32_t route_of(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        """The first declaration that matches; else UNROUTED, with `message.outcome` set."""
        cdef RouteOp* route
        cdef Text text
        cdef int32_t i
        cdef Outcome outcome = self.walker.observe(p, end)
        text.p = p
        text.n = end - p
        text.form = TEXT_STRING
        text.escaped = False
        for i in range(self.lowered.n_routes):
            route = &self.lowered.routes[i]
            if route.kind == ROUTE_SNAPSHOT:
                continue
            if route.is_raw:
                if self.reader.matches_text(route.tests, &text):
                    return i
            elif outcome == DONE and self.reader.matches(route.router_tests):
                return i
        self.stage.message.outcome = outcome
        return UNROUTED

    cdef inline bint verified(self, int32_t number) noexcept nogil:
        """What the walk observed satisfies the route, and no earlier one."""
        cdef RouteOp* route = &self.lowered.routes[number]
        cdef int32_t* numbers = &self.lowered.numbers[route.rivals.first]
        cdef Range tests
        cdef int32_t i
        if self.is_proved(&self.proofs[number]):
            return True
        if not self.reader.matches(route.tests):
            return False
        for i in range(0, route.rivals.n, 2):
            tests.first = numbers[i]
            tests.n = numbers[i + 1]
            if self.reader.matches(tests):
                return False
        self.prove(&self.proofs[number])
        return True

    cdef inline bint is_proved(self, Proof* proof) noexcept nogil:
        """Whether all that routing looks at is what it was when the route was proved."""
        cdef Register* register
        cdef int32_t i
        if proof.n_texts < 0 or self.stage.message.have & proof.observed != proof.have:
            return False
        for i in range(proof.n_texts):
            register = &self.stage.message.registers[proof.texts[i].register]
            if register.n != proof.texts[i].n or memcmp(
                register.p, proof.texts[i].bytes, register.n
            ) != 0:
                return False
        return True

    cdef void prove(self, Proof* proof) noexcept nogil:
        """Remember what has just been observed, where it is little."""
        cdef uint64_t left = self.stage.message.have & proof.observed
        cdef Register* register
        cdef ProofText* text
        proof.n_texts = -1
        proof.have = left
        cdef int32_t n_texts = 0
        while left:
            if n_texts == MAX_PROOF_TEXTS:
                return
            text = &proof.texts[n_texts]
            text.register = tw_lowest_bit(left)
            left &= left - 1
            register = &self.stage.message.registers[text.register]
            if register.n > MAX_PROOF_BYTES:
                return
            text.n = register.n
            memcpy(text.bytes, register.p, register.n)
            n_texts += 1
        proof.n_texts = n_texts

    cdef int settle(self, ConnectionDecoder connection, int32_t number, Outcome outcome,
                    const uint8_t* payload, size_t n) noexcept nogil:
        """Count a message and decide what becomes of it."""
        cdef RouteOp* route
        cdef int verdict
        if outcome == FULL:
            return Verdict.BLOCKED
        if number == UNROUTED and outcome != DONE:
            return self.refuse(connection, outcome, payload, n)
        if number == UNROUTED:
            self.unknown_messages += 1
        else:
            route = &self.lowered.routes[number]
            if route.kind != ROUTE_DATA:
                if outcome != DONE:
                    return self.refuse(connection, outcome, payload, n)
                if route.kind != ROUTE_IGNORE:
                    with gil:
                        tell(connection, _EVENTS[route.kind], payload, n)
                return Verdict.TAKEN
            if outcome != DONE:
                return self.refuse(connection, outcome, payload, n)
            if not route.requested:
                self.unrequested_messages += 1
            elif route.spliced and self.admission is not None:
                if not (self.stage.message.have >> route.splice_symbol) & 1:
                    self.stage.take_back(route)
                    return self.refuse(connection, MISSING, payload, n)
                verdict = self.admit(connection, route, payload, n)
                if verdict != Verdict.TAKEN:
                    return verdict
        return self.count(connection, n)

    cdef int refuse(self, ConnectionDecoder connection, Outcome outcome, const uint8_t* payload,
                    size_t n) noexcept nogil:
        """Quarantine a message that cannot be decoded; the feed goes on."""
        with gil:
            keep(self, connection, _REASONS[<int>outcome], payload, n)
        return self.count(connection, n)

    cdef int admit(self, ConnectionDecoder connection, RouteOp* route, const uint8_t* payload,
                   size_t n) noexcept nogil:
        """Publish staged deltas, hold them for a snapshot, or forget them."""
        cdef int32_t symbol = <int32_t>self.stage.message.registers[route.splice_symbol].value.i
        cdef int answer = self.ask(route, symbol)
        if answer == Admit.ADMIT:
            return Verdict.TAKEN
        self.stage.take_back(route)
        if answer == Admit.HOLD:
            with gil:
                hold(self, connection, symbol, payload, n)
        return Verdict.TAKEN

    cdef int ask(self, RouteOp* route, int32_t symbol) noexcept nogil:
        """What the book's splice says to the message's update ids."""
        cdef int64_t ids[3]
        cdef int32_t registers[3]
        cdef int i
        registers[0] = route.splice_first
        registers[1] = route.splice_last
        registers[2] = route.splice_prev
        for i in range(3):
            ids[i] = INT64_MIN
            if (self.stage.message.have >> registers[i]) & 1:
                ids[i] = self.stage.message.registers[registers[i]].value.i
        return self.admission.admit(symbol, ids[0], ids[1], ids[2])

    cdef void publish(self, ConnectionDecoder connection) noexcept nogil:
        """Fill what all rows of a read share, and let consumers see them.

        Shape    all rows staged since the last publish, in every ring of the source.
        Units    ts_recv ns since the epoch, recv_mono ns of the monotonic clock.
        Returns  nothing.
        Threads  the loop's thread only.
        Memory   none allocated.
        Source   docs/design.md, "From messages to rows": staged, then published.
        """
        cdef Target* target
        cdef int64_t row, slot, n, head
        cdef int number
        for number in range(self.targets.n):
            target = &self.targets.at[number]
            if target.head == NULL or target.head[0] == target.published[0]:
                continue
            head = target.head[0]
            row = target.published[0]
            while row < head:
                slot = row & target.mask
                n = min(head - row, target.mask + 1 - slot)
                tw_fill_16(<int16_t*>target.columns[COLUMN_VENUE] + slot, n, self.venue_code)
                tw_fill_64(
                    <int64_t*>target.columns[COLUMN_TS_RECV] + slot, n, connection.ts_recv_ns
                )
                tw_fill_32(<int32_t*>target.columns[COLUMN_CONN] + slot, n, connection.conn)
                tw_fill_64(target.recv_mono + slot, n, connection.mono_ns)
                row += n
            self.targets.publish(number)

    cdef void end(self, ConnectionDecoder connection) noexcept nogil:
        """Publish what a read has brought."""
        self.publish(connection)
        if self.n_in_read == 0:
            return
        if self.read_to_ring is not None:
            self.read_to_ring.record(tw_mono_ns() - connection.mono_ns, self.n_in_read)
        self.limit.taken += self.n_in_read
        self.n_in_read = 0
        if self.limit.most and self.limit.taken >= self.limit.most:
            self.limit.spent = True

    cdef bint _drain(self) noexcept:
        """Let in what is held for the symbols that have their snapshot; False: a ring is full."""
        cdef int32_t symbol
        while self.draining:
            symbol = next(iter(self.draining))
            if not self._drain_symbol(symbol):
                return False
            then = self.draining.pop(symbol)
            self.n_draining = len(self.draining)
            if then is not None:
                then()
        return True

    cdef bint _drain_symbol(self, int32_t symbol) except -1:
        cdef ConnectionDecoder connection
        cdef const uint8_t* p
        cdef bytes payload
        cdef int32_t route = UNROUTED
        cdef Outcome outcome
        cdef int64_t ts_recv_ns, mono
        cdef bint more = True
        waiting = self.held.get(symbol)
        while waiting and more:
            payload, ts_recv, mono_then, connection = waiting[0]
            p = payload
            ts_recv_ns, mono = connection.ts_recv_ns, connection.mono_ns
            connection.ts_recv_ns, connection.mono_ns = ts_recv, mono_then
            self.stage.message.labels = &connection.labels if connection.labels.n else NULL
            outcome = self.decode(p, p + len(payload), &route)
            if outcome == FULL:
                connection.ts_recv_ns, connection.mono_ns = ts_recv_ns, mono
                return False
            # It was staged once before, so that only want of memory can make it fail now.
            if outcome == DONE:
                more = self._admit_held(symbol, route)
            else:
                keep(self, connection, _REASONS[<int>outcome], p, len(payload))
            self.publish(connection)
            connection.ts_recv_ns, connection.mono_ns = ts_recv_ns, mono
            if more:
                waiting.popleft()
                self.held_bytes -= len(payload)
        if not waiting:
            self.held.pop(symbol, None)
        return True

    cdef bint _admit_held(self, int32_t symbol, int32_t number) except -1:
        """Whether a held message is done with: published or refused."""
        cdef RouteOp* route = &self.lowered.routes[number]
        cdef int answer = self.ask(route, symbol)
        if answer != Admit.ADMIT:
            self.stage.take_back(route)
        self.n_let_in += answer == Admit.ADMIT
        return answer != Admit.HOLD

    def decode_as(self, message, payload, *, symbol, ts_recv, conn):
        """Decode a REST answer and publish its rows.

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

        Returns
        -------
        bool
            False where a ring has no room: offer it again.

        Raises
        ------
        PlanError
            There is no such message.
        DecodeError
            The answer cannot be decoded.
        """
        cdef Outcome outcome
        cdef ConnectionDecoder connection = ConnectionDecoder(self, conn, None)
        cdef const uint8_t* p
        cdef int32_t number = UNROUTED
        cdef bytes body = bytes(payload)
        for i, route in enumerate(self.program.routes):
            if route.name == message and route.kind == "snapshot":
                number = i
                break
        else:
            raise PlanError(f"{self.venue}: no snapshot message {message!r}")
        connection.ts_recv_ns = ts_recv
        connection.mono_ns = mono_ns()
        p = body
        self.stage.message.labels = NULL
        self.stage.message.given_symbol = self.symbols.code(symbol)
        if is_utf8(p, len(body)):
            outcome = self.walker.run(number, p, p + len(body), True)
        else:
            outcome = BAD_TEXT
        self.stage.message.given_symbol = -1
        if outcome == FULL:
            return False
        if outcome != DONE:
            raise DecodeError(_REASONS[<int>outcome], f"{self.venue} {message} of {symbol}")
        self.publish(connection)
        return True

    def replay_held(self, symbol):
        """Let in what is held for a symbol, in order, as far as the book's rule allows.

        What finds no room waits for `release_held`, and goes before the next message.

        Returns
        -------
        int
            Messages that gave rows so far.
        """
        before = self.n_let_in
        self.draining.setdefault(self.symbols.code(symbol))
        self.n_draining = len(self.draining)
        self._drain()
        return self.n_let_in - before

    def release_held(self):
        """Let in what `replay_held` found no room for.

        Returns
        -------
        bool
            False where it still finds none: try again.
        """
        return self.n_draining == 0 or self._drain()

    def after_release(self, symbol, then):
        """Call `then` once nothing of a symbol waits for room, before the next message.

        At once where nothing does; never where it is dropped.
        """
        code = self.symbols.code(symbol)
        if code in self.draining:
            self.draining[code] = then
        else:
            then()

    def drop_unreleased(self):
        """Forget what still waits for room.

        Returns
        -------
        list of tuple of str, int, int and int
            Symbol, connection, and `ts_recv` of the first and the last message, ns.
        """
        dropped = []
        for code in list(self.draining):
            waiting = self.held.get(code)
            symbol = self.symbols.value(code)
            if waiting:
                _, first_ns, _, connection = waiting[0]
                _, last_ns, _, _ = waiting[len(waiting) - 1]
                dropped.append((symbol, connection.conn, first_ns, last_ns))
            self.drop_held(symbol)
        return dropped

    def drop_held(self, symbol):
        """Forget what is held for a symbol; gives how many messages."""
        code = self.symbols.code(symbol)
        self.draining.pop(code, None)
        self.n_draining = len(self.draining)
        dropped = self.held.pop(code, ())
        self.held_bytes -= sum(len(item[0]) for item in dropped)
        return len(dropped)


cdef bint is_utf8(const uint8_t* p, size_t n) noexcept nogil:
    cdef tw_utf8 state
    state.need = 0
    return tw_utf8_check(&state, p, n) and state.need == 0


cdef int tell(ConnectionDecoder connection, kind, const uint8_t* payload, size_t n) except -1:
    """Pass a message on to the session."""
    connection.events.append((kind, payload[:n]))
    connection.has_events = True
    return 0


cdef int keep(Decoder self, ConnectionDecoder connection, reason, const uint8_t* payload,
              size_t n) except -1:
    """Count a message that cannot be decoded, and quarantine it as far as there is room."""
    cdef Ring quarantine = self.quarantine
    self._errors[reason] = self._errors.get(reason, 0) + 1
    if quarantine is None:
        return 0
    longest = quarantine.max_text_bytes("payload")
    kept = quarantine.append(
        venue=self.venue,
        ts_recv=connection.ts_recv_ns,
        conn=connection.conn,
        reason=reason,
        payload=payload[:min(n, <size_t>longest)],
    )
    self.quarantine_unkept += not kept
    self.quarantine_cut += kept and n > <size_t>longest
    return 0


cdef int hold(Decoder self, ConnectionDecoder connection, int32_t symbol, const uint8_t* payload,
              size_t n) except -1:
    """Keep a delta until its snapshot has come; past the bound the oldest of the symbol goes.

    A snapshot newer than what went makes up for it; an older one is refused by the book's rule.
    """
    waiting = self.held.setdefault(symbol, deque())
    while waiting and self.held_bytes + <int64_t>n > self.hold_bytes:
        self.held_bytes -= len(waiting.popleft()[0])
        self.held_dropped += 1
    if self.held_bytes + <int64_t>n > self.hold_bytes:
        self.held_dropped += 1
        return 0
    waiting.append((payload[:n], connection.ts_recv_ns, connection.mono_ns, connection))
    self.held_bytes += n
    return 0


cdef class ConnectionDecoder(Handler):
    """The handler of one connection; made by `Decoder.connection`."""

    def __init__(self, Decoder decoder, conn, labels=None):
        self.decoder = decoder
        self.conn = conn
        self.events = []
        for plan, name in (labels or {}).items():
            if self.labels.n == MAX_LABELS:
                raise PlanError(f"{decoder.venue}: more than {MAX_LABELS} labels")
            # What the source's aliases made of the plan's name is what the rows would have.
            plan = decoder.program.aliases.get(plan, plan)
            self.labels.plan[self.labels.n] = decoder.walker.reader.channels.code(plan)
            self.labels.name[self.labels.n] = decoder.walker.reader.channels.code(name)
            self.labels.n += 1

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        # Text is UTF-8 already (RFC 6455 section 8.1); a binary message may be anything.
        if opcode != OPCODE_TEXT and not is_utf8(payload, n):
            if self.decoder.limit.spent:
                return Verdict.HALT
            return self.decoder.refuse(self, BAD_TEXT, payload, n)
        return self.decoder.take(self, payload, n)

    cdef void end_read(self) noexcept nogil:
        self.decoder.end(self)

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
            False where a ring has no room: offer it again.
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

    def take_events(self):
        """Give the messages for the session since the last call: (kind, payload)."""
        events, self.events = self.events, []
        self.has_events = False
        return events
