"""Books that begin in band, in a source's decoder: asked of the follower, verified by checksums.

Rules of this file
------------------
- Which message goes is for `tickwire.book` to say; this has its numbers, and takes rows back.
- A message of a connection that is counted counts whatever it is, known or unknown; only one that
  is known to have no number does not. What comes a second time is taken back.
- The digits of a checksum are learned from a message's text where they are not known, and once
  more where a checksum does not match: a symbol's numbers may get more decimals. Nothing of it
  happens for a message that matches.
- Where levels are removed by their position, their rows get their prices here, before they are
  published (`tickwire.book._positions`); what does not fit breaks the book as a checksum does.
- A message that a book begins with has `is_snapshot` in its rows, also where the venue does not
  say so: what was known before is gone.
"""

from libc.stdint cimport INT64_MIN, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.book._checksum cimport BookChecksums, Verified
from tickwire.book._follower cimport BookFollower
from tickwire.book._order_book cimport TW_ASKS, TW_BIDS, tw_book_apply, tw_book_end
from tickwire.book._positions cimport BookPositions, LevelRows
from tickwire.book._rules cimport Delta
from tickwire.book._splice cimport ADMIT
from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._connection cimport Connection
from tickwire.decode._legs cimport Leg
from tickwire.decode._routing cimport UNROUTED
from tickwire.decode._stage cimport DONE, Outcome, Stage
from tickwire.decode._targets cimport Targets

from tickwire.decode.level_text import level_texts

cdef extern from "string.h" nogil:
    void* memmem(const void* text, size_t n, const void* part, size_t n_part)


cdef class ChainDecoder:
    """The part of a source's decoder that books without a REST snapshot need.

    Parameters
    ----------
    follower
        Decides which message may be published.
    checksums
        Keeps the books and verifies them; None where the venue has no checksum.
    stage
        The source's.
    program
        The source's.
    sides
        The feed's dictionary of sides.
    """

    def __init__(
        self, BookFollower follower, BookChecksums checksums, Stage stage, program, sides
    ):
        cdef Targets targets = stage.targets
        self.follower = follower
        self.checksums = checksums
        if program.most_positions:
            self.positions = BookPositions(program.most_positions)
        self.stage = stage
        self.routes = program.routes
        # A number deeper in the message is not looked for: copies are known by their ids alone.
        self.key = f'"{program.number}":'.encode() if program.number.isidentifier() else b""
        self.key_text = self.key
        self.n_key = len(self.key)
        self.admitted = -1
        self.ask = sides.code("ask")
        self.bid = sides.code("bid")
        for number, table in enumerate(program.tables):
            if table.name == "book":
                self.ring = targets.at[<int>number]
                self.snapshot_column = table.index("is_snapshot")
                self.side_column = table.index("side")
                self.price_column = table.index("price")
                self.size_column = table.index("size")
                self.time_column = table.index("ts_event")

    cdef inline int64_t value(self, int32_t register) noexcept nogil:
        if register >= 0 and (self.stage.message.have >> register) & 1:
            return self.stage.message.registers[register].value.i
        return INT64_MIN

    cdef bint count(self, Connection connection, int32_t number, Outcome outcome) noexcept nogil:
        """Count a message of a connection.

        Shape    the message in the registers, of route `number`, UNROUTED where it is unknown.
        Units    the venue's count.
        Returns  False where it has come before: its rows are to be taken back.
        Threads  the loop's thread only.
        Memory   none; a break is noted in a list.
        Source   docs/design.md, "Books".
        """
        cdef int64_t count
        if not self.follower.counts_all:
            return True
        if number == UNROUTED or outcome != DONE:
            connection.n_uncounted += 1
            return True
        count = self.value(self.stage.program.routes[number].number)
        if count == INT64_MIN:
            return True
        return self.count_on(connection, count)

    cdef void count_copy(self, Connection connection) noexcept nogil:
        if not self.follower.counts_all:
            return
        if self.number == INT64_MIN:
            connection.n_uncounted += 1     # it has a number all the same
        else:
            self.count_on(connection, self.number)

    cdef bint count_on(self, Connection connection, int64_t count) noexcept nogil:
        cdef int64_t n_missing
        if connection.is_counted:
            if count <= connection.count:
                self.follower.n_withheld += 1
                return False
            n_missing = count - connection.count - 1 - connection.n_uncounted
            if n_missing > 0:
                with gil:
                    self.follower.break_connection(
                        connection.conn, n_missing, connection.last_message_ns,
                        connection.ts_recv_ns,
                    )
            else:
                self.follower.n_followed += 1
        connection.is_counted = True
        connection.count = count
        connection.n_uncounted = 0
        return True

    cdef uint64_t hash_of(self, Leg leg, const uint8_t* payload, size_t n) noexcept nogil:
        """The hash by which copies of a message are known: without its number.

        Shape    one payload of n bytes.
        Units    none.
        Returns  the hash.
        Threads  the loop's thread only.
        Memory   none.
        Source   the theory of legs, in `_legs.pxd`: connections count each for itself.
        """
        cdef const uint8_t* at = NULL
        cdef size_t n_before, n_digits
        cdef int64_t number = 0
        self.number = INT64_MIN
        if self.n_key:
            at = <const uint8_t*>memmem(payload, n, self.key_text, self.n_key)
        if at == NULL:
            return leg.hash_of(payload, n)
        n_before = <size_t>(at - payload) + self.n_key
        n_digits = 0
        while n_before + n_digits < n and (
            payload[n_before + n_digits] == c' ' or 48 <= payload[n_before + n_digits] <= 57
        ):
            if payload[n_before + n_digits] != c' ':
                number = 10 * number + payload[n_before + n_digits] - 48
            n_digits += 1
        if 0 < n_digits < 19:
            self.number = number
        return leg.hash_of(payload, n_before) * <uint64_t>0x9E3779B97F4A7C15 ^ leg.hash_of(
            payload + n_before + n_digits, n - n_before - n_digits
        )

    cdef bint admit(
        self, Connection connection, RouteOp* route, const uint8_t* payload, size_t n
    ) noexcept nogil:
        """Ask whether the staged rows of a book message may be published; else take them back.

        Shape    one message of n bytes, its symbol and numbers in the registers.
        Units    the venue's numbers.
        Returns  True where they may.
        Threads  the loop's thread only.
        Memory   of the symbol's book, where checksums verify it.
        Source   docs/design.md, "Books".
        """
        cdef int32_t symbol = <int32_t>self.value(route.splice_symbol)
        cdef bint is_snapshot = route.splice_is_snapshot
        cdef Delta delta
        cdef int64_t n_begun = self.follower.n_begun
        self.admitted = -1
        if not self.stage.is_allowed(symbol):
            return True     # it has no rows, and no book
        if route.splice_flag >= 0:
            is_snapshot = self.value(route.splice_flag) == 1
        delta.first = self.value(route.splice_first)
        delta.last = self.value(route.splice_last)
        delta.prev = self.value(route.splice_prev)
        if self.follower.admit(
            symbol, &delta, is_snapshot, connection.conn, connection.ts_recv_ns, self.hash
        ) != ADMIT:
            self.stage.rollback(route)
            return False
        if not is_snapshot and self.follower.n_begun != n_begun:
            is_snapshot = True      # the book begins with it, whatever it calls itself
            self.mark_snapshot()
        if (self.positions is None or self.place(symbol, is_snapshot)) and (
            self.checksums is None or self.verify(route, symbol, is_snapshot, payload, n)
        ):
            # Connections have a snapshot each: that of one is no copy of another's.
            self.admitted = -1 if is_snapshot else symbol
            return True
        self.follower.mismatch(symbol)
        self.stage.rollback(route)
        return False

    cdef void mark_snapshot(self) noexcept nogil:
        cdef int64_t row
        cdef uint8_t* flags
        if self.ring == NULL:
            return
        flags = <uint8_t*>self.ring.columns[self.snapshot_column].values
        for row in range(self.ring.message_start, self.ring.head):
            flags[row & self.ring.mask] = 1

    cdef bint place(self, int32_t symbol, bint is_snapshot) noexcept nogil:
        """Give the staged levels that are named by their position their prices."""
        cdef LevelRows rows
        if self.ring == NULL:
            return True
        rows.sides = <const int16_t*>self.ring.columns[self.side_column].values
        rows.prices = <double*>self.ring.columns[self.price_column].values
        rows.sizes = <double*>self.ring.columns[self.size_column].values
        rows.times = <const int64_t*>self.ring.columns[self.time_column].values
        rows.first = self.ring.message_start
        rows.end = self.ring.head
        rows.mask = self.ring.mask
        rows.ask = self.ask
        rows.bid = self.bid
        return self.positions.place(symbol, is_snapshot, &rows)

    cdef bint verify(
        self, RouteOp* route, int32_t symbol, bint is_snapshot, const uint8_t* payload, size_t n
    ) noexcept nogil:
        cdef Verified* state = self.checksums.of(symbol)
        cdef int64_t row, slot
        cdef int64_t sum = self.value(route.splice_checksum)
        cdef bint has_learned = False
        cdef int16_t side
        cdef const int16_t* sides
        cdef const double* prices
        cdef const double* sizes
        if state == NULL or self.ring == NULL:
            return state != NULL    # without memory nothing is verified
        sides = <const int16_t*>self.ring.columns[self.side_column].values
        prices = <const double*>self.ring.columns[self.price_column].values
        sizes = <const double*>self.ring.columns[self.size_column].values
        if is_snapshot:
            tw_book_apply(&state.book, -1, 0, 0, True)
        for row in range(self.ring.message_start, self.ring.head):
            slot = row & self.ring.mask
            side = sides[slot]
            if side == self.bid or side == self.ask:
                tw_book_apply(
                    &state.book, TW_ASKS if side == self.ask else TW_BIDS, prices[slot],
                    sizes[slot], is_snapshot,
                )
        tw_book_end(&state.book)
        if self.checksums.wants_digits(state):
            with gil:
                has_learned = self.learn(route, symbol, payload[:n])
        if sum == INT64_MIN:
            self.checksums.n_unchecked += 1
            return True
        if self.checksums.verify(state, <uint32_t>sum):
            return True
        if has_learned or not self.checksums.learns:
            return False
        with gil:
            if not self.learn(route, symbol, payload[:n]):
                return False
        self.checksums.n_checked -= 1
        self.checksums.n_mismatched -= 1
        return self.checksums.verify(state, <uint32_t>sum)

    cdef bint learn(self, RouteOp* route, int32_t symbol, bytes payload) except -1:
        """Learn the decimals of a message's levels; False where they were known."""
        before = self.checksums.decimals(symbol)
        number = route - self.stage.program.routes
        self.checksums.learn(symbol, level_texts(self.routes[number].level_paths, payload))
        return self.checksums.decimals(symbol) != before
