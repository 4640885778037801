"""Rows out of registers."""

from libc.stdint cimport INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from tickwire.decode._bytecode cimport (
    MAX_REGISTERS, Bits, CellOp, Bytecode, RouteOp, RowSetOp, Sides,
)
from tickwire.decode._seen cimport (
    SEEN_ASK, SEEN_BEFORE, Novelty, Seen, TradeFacts, tw_trade_key,
)
from tickwire.decode._last_values cimport Carried, LastValues
from tickwire.decode._targets cimport Targets
from tickwire.decode._values cimport Register, unescape
from tickwire.ring._tw_ring cimport (
    KIND_BINARY, KIND_BOOL, KIND_CODE16, KIND_F64, KIND_I64, KIND_TEXT, KIND_TS, TEXT_FULL, TEXT_OK,
    TextResult, tw_has_room, tw_put_null_text, tw_put_text, tw_ring, tw_rollback,
)

cdef extern from "tickwire/base/hash.h" nogil:
    uint64_t tw_fold_multiply(uint64_t a, uint64_t b)

cdef extern from "tickwire/decode/fill.h" nogil:
    int tw_fill_column(
        void* column, int64_t slots, int64_t first, int64_t last, int64_t value, int log2_bytes
    )


cdef extern from "tickwire/decode/sides.h" nogil:
    void tw_change_places(
        void* column, int log2_bytes, int64_t mask, int64_t first, int64_t middle, int64_t end,
        int64_t* spare
    )
    int64_t tw_end_of_side(
        const tw_ring* ring, const Sides* sides, int64_t first, int64_t like, int32_t side
    )


cdef class Stage:
    """The rows of one source's messages on their way into its rings.

    Parameters
    ----------
    program
        The bytecode program.
    targets
        Its rings.
    symbols
        Codes of the symbols that the source names; None where it takes all.
    """

    def __cinit__(self, Bytecode program, Targets targets, symbols=None):
        self.program = program
        self.targets = targets
        self.seen = Seen(max(program.n_once, 1))
        self.last_values = LastValues(max(program.n_carry, 1))
        self.no_sender.given_symbol = -1
        self.message.sender = &self.no_sender
        self.fills = <Fill*>calloc(max(program.n_cells, 1), sizeof(Fill))
        self.unconfigured = <int64_t*>calloc(max(targets.n, 1), sizeof(int64_t))
        self.left_out = <int64_t*>calloc(max(targets.n, 1), sizeof(int64_t))
        self.unreadable = <int64_t*>calloc(
            max(program.n_routes, 1) * MAX_REGISTERS, sizeof(int64_t)
        )
        if self.fills == NULL or self.unconfigured == NULL or self.left_out == NULL \
                or self.unreadable == NULL:
            raise MemoryError
        for i in range(program.n_cells):
            self._bind(&self.fills[i], &program.cells[i])
        if symbols is not None:
            self.n_allowed = max(symbols, default=-1) + 1
            self.allowed = <uint8_t*>calloc(max(self.n_allowed, 1), 1)
            if self.allowed == NULL:
                raise MemoryError
            for code in symbols:
                self.allowed[<int>code] = 1

    def __dealloc__(self):
        free(self.allowed)
        free(self.unconfigured)
        free(self.unreadable)
        free(self.left_out)
        free(self.fills)
        free(self.scratch)
        free(self.members)

    cdef void _bind(self, Fill* fill, CellOp* cell) noexcept nogil:
        cdef tw_ring* ring = self.targets.at[cell.target]
        if ring == NULL:
            return      # a table that this source does not write
        fill.column = <uint8_t*>ring.columns[cell.column].values
        fill.ring = ring
        fill.constant = cell.constant
        if cell.register >= 0:
            fill.value = &self.message.registers[cell.register].value
            fill.bit = <uint64_t>1 << cell.register
            fill.required = cell.required
        fill.target = cell.target
        fill.log2_bytes = log2_of_bytes(cell.kind)
        fill.is_channel = cell.is_channel

    cdef bint fail(self, Outcome outcome) noexcept nogil:
        self.message.outcome = outcome
        return False

    cdef uint8_t* room(self, size_t n) noexcept nogil:
        cdef uint8_t* grown
        if n > self.scratch_bytes:
            grown = <uint8_t*>realloc(self.scratch, 2 * n)
            if grown == NULL:
                return NULL
            self.scratch = grown
            self.scratch_bytes = 2 * n
        return self.scratch

    cdef void rollback(self, RouteOp* route) noexcept nogil:
        cdef uint64_t left = route.targets
        cdef tw_ring* ring
        while left:
            ring = self.targets.at[tw_lowest_bit(left)]
            left &= left - 1
            tw_rollback(ring, ring.message_start)
        self.seen.undo()
        self.last_values.undo()

    cdef bint emit(self, RowSetOp* row_set) noexcept nogil:
        """Stage one row, and leave the registers as they were.

        What is carried over, or zero by a condition, is so for this row set's columns alone.
        """
        cdef uint64_t have = self.message.have
        cdef int64_t kept[MAX_ZEROS]
        cdef int32_t* pairs = &self.program.numbers[row_set.zeros.first]
        cdef int32_t i
        cdef bint good
        for i in range(0, row_set.zeros.n, 2):
            kept[i >> 1] = self.message.registers[pairs[i]].value.i
        good = self.stage_row(row_set)
        for i in range(0, row_set.zeros.n, 2):
            self.message.registers[pairs[i]].value.i = kept[i >> 1]
        self.message.have = have
        return good

    cdef bint stage_row(self, RowSetOp* row_set) noexcept nogil:
        """Stage one row of a row set from the registers.

        Shape    one row at the ring's head, or at the row that the same member key gave before.
        Units    as in the registers; times ns, codes of the feed's dictionaries.
        Returns  True; or False with `message.outcome` set. A row left out is no failure.
        Threads  the loop's thread only.
        Memory   the ring's; text is copied into it.
        Source   docs/design.md, "From messages to rows".
        """
        cdef tw_ring* ring = self.targets.at[row_set.target]
        cdef bint wanted = True
        cdef int64_t row
        cdef int32_t i
        if not self.prepare(row_set, &wanted):
            return False
        if not wanted:
            return True
        row = ring.head
        if row_set.member >= 0 and not self.claim_member(row_set, &row):
            return False
        if row == ring.head:
            if row - ring.message_start >= ring.max_message_rows:
                return self.fail(TOO_MANY_ROWS)
            if not tw_has_room(ring):
                return self.fail(FULL)
        for i in range(row_set.stores.n):
            if not self.store(&self.program.cells[row_set.stores.first + i], row):
                return False
        if row == ring.head:
            ring.head += 1
        return True

    cdef bint prepare(self, RowSetOp* row_set, bint* wanted) noexcept nogil:
        """What may keep a row back, and what changes its registers."""
        cdef Message* message = &self.message
        cdef Register* registers = message.registers
        cdef int32_t* pairs
        cdef int32_t i, symbol
        cdef const uint8_t* text
        cdef size_t n
        cdef uint64_t trade
        cdef TradeFacts facts
        cdef int64_t no_time = INT64_MIN
        cdef Novelty novelty
        if (message.have & row_set.needs) != row_set.needs and not message.deferring:
            return self.fail(AGAIN)
        if not self.holds(row_set, row_set.conditions.n >> 1):
            message.unmatched |= <uint64_t>1 << row_set.target
            wanted[0] = False
            return True
        pairs = &self.program.numbers[row_set.zeros.first]
        for i in range(0, row_set.zeros.n, 2):
            if (message.have >> pairs[i + 1]) & 1 and registers[pairs[i + 1]].value.i:
                registers[pairs[i]].value.f = 0.0
                message.have |= <uint64_t>1 << pairs[i]
        if row_set.symbol < 0 or not (message.have >> row_set.symbol) & 1:
            return True
        symbol = <int32_t>registers[row_set.symbol].value.i
        # A symbol that the source does not name makes every walk one that defers.
        if message.deferring and not self.is_allowed(symbol):
            self.left_out[row_set.target] += 1
            message.kept_back |= <uint64_t>1 << row_set.target
            wanted[0] = False
            return True
        if row_set.carry >= 0 and not self.carry_over(row_set, symbol):
            return False
        if row_set.once >= 0 and (row_set.id_parts.n or (message.have >> row_set.trade_id) & 1):
            if row_set.id_parts.n:
                if not self.joined_id(row_set, &trade):
                    return False
            elif registers[row_set.trade_id].is_number:
                trade = <uint64_t>registers[row_set.trade_id].value.i
            elif self.plain(&registers[row_set.trade_id], &text, &n):
                trade = tw_trade_key(text, n)
            else:
                return False
            if not (message.have >> row_set.price) & 1:
                return self.fail(MISSING)
            facts.price = &registers[row_set.price].value.i
            facts.time = &no_time
            if (message.have >> row_set.time) & 1:
                facts.time = &registers[row_set.time].value.i
            novelty = self.seen.offer(row_set.once, symbol, trade, &facts)
            if novelty == SEEN_ASK:
                return self.fail(NO_MEMORY)
            wanted[0] = novelty != SEEN_BEFORE
            if not wanted[0]:
                message.kept_back |= <uint64_t>1 << row_set.target
        return True

    cdef bint turn_sides(self, RouteOp* route) noexcept nogil:
        cdef CellOp* cells = &self.program.cells[route.apart.first]
        cdef tw_ring* ring = self.targets.at[cells.target]
        cdef int64_t row = ring.message_start
        cdef int64_t middle, end
        cdef int64_t* spare
        cdef int32_t i
        while row < ring.head:
            middle = tw_end_of_side(ring, &route.sides, row, row, route.sides.ask)
            end = tw_end_of_side(ring, &route.sides, middle, row, route.sides.bid)
            if row < middle < end:
                spare = <int64_t*>self.room((middle - row) * sizeof(int64_t))
                if spare == NULL:
                    return self.fail(NO_MEMORY)
                for i in range(route.apart.n):
                    tw_change_places(
                        ring.columns[cells[i].column].values, log2_of_bytes(cells[i].kind),
                        ring.mask, row, middle, end, spare,
                    )
            row = max(end, row + 1)
        return True

    cdef bint holds(self, RowSetOp* row_set, int32_t n) noexcept nogil:
        """Whether the first n conditions of its rows hold."""
        cdef int32_t* pairs = &self.program.numbers[row_set.conditions.first]
        cdef int32_t i
        cdef bint is_so
        for i in range(0, 2 * n, 2):
            is_so = (self.message.have >> pairs[i]) & 1 != 0 \
                and self.message.registers[pairs[i]].value.i != 0
            if is_so != (pairs[i + 1] != 0):
                return False
        return True

    cdef bint joined_id(self, RowSetOp* row_set, uint64_t* joined) noexcept nogil:
        """An id out of several texts, in their order; one that is absent is not like an empty one.
        """
        cdef int32_t* parts = &self.program.numbers[row_set.id_parts.first]
        cdef const uint8_t* text
        cdef size_t n
        cdef int32_t i
        cdef uint64_t key = <uint64_t>0x9E3779B97F4A7C15
        for i in range(row_set.id_parts.n):
            key *= <uint64_t>0xD6E8FEB86659FD93
            key ^= key >> 32
            if not (self.message.have >> parts[i]) & 1:
                continue
            if not self.plain(&self.message.registers[parts[i]], &text, &n):
                return False
            key ^= tw_fold_multiply(
                tw_trade_key(text, n) ^ <uint64_t>0xA0761D6478BD642F, <uint64_t>0xE7037ED1A0B428DB
            )
        joined[0] = key | <uint64_t>1 << 63
        return True

    cdef bint leave_null(self, int32_t register) noexcept nogil:
        """Let an optional value that cannot be read be null; False where that is not why.

        It is left to the careful walk, which reads each value once, so that it is counted once.
        """
        cdef Outcome outcome = self.message.outcome
        if not WRONG_KIND <= outcome <= TOO_LONG:
            return False
        if not self.message.deferring:
            return self.fail(AGAIN)
        self.message.outcome = DONE
        self.message.have &= ~(<uint64_t>1 << register)
        self.message.unreadable |= <uint64_t>1 << register
        self.left_null[register] += 1
        return True

    cdef bint carry_over(self, RowSetOp* row_set, int32_t symbol) noexcept nogil:
        cdef Message* message = &self.message
        cdef Carried* state = self.last_values.change(row_set.carry, symbol)
        cdef int32_t* pairs = &self.program.numbers[row_set.carried.first]
        cdef int32_t i, register, column
        if state == NULL:
            return self.fail(NO_MEMORY)
        if row_set.carry_reset:
            state.have = 0
        for i in range(0, row_set.carried.n, 2):
            register = pairs[i]
            column = pairs[i + 1]
            if message.deferring and (message.unreadable >> register) & 1:
                state.have &= ~(<uint64_t>1 << column)  # an older value is not this one
                message.unreadable &= ~(<uint64_t>1 << register)
            elif (message.have >> register) & 1:
                state.values[column] = message.registers[register].value.i
                state.have |= <uint64_t>1 << column
            elif (state.have >> column) & 1:
                message.registers[register].value.i = state.values[column]
                message.have |= <uint64_t>1 << register
        return True

    cdef void begin_deferring(self) noexcept nogil:
        self.message.deferring = True
        self.message.unreadable = 0
        memset(self.left_out, 0, self.targets.n * sizeof(int64_t))
        memset(self.left_null, 0, sizeof(self.left_null))

    cdef void count_left_out(self, int route) noexcept nogil:
        cdef int i
        for i in range(self.targets.n):
            self.unconfigured[i] += self.left_out[i]
        for i in range(MAX_REGISTERS):
            self.unreadable[route * MAX_REGISTERS + i] += self.left_null[i]

    cdef bint claim_member(self, RowSetOp* row_set, int64_t* row) noexcept nogil:
        """Of equal keys of an object the last counts, in the place of the first."""
        cdef Member* member = self.member(row_set)
        if member == NULL:
            return False
        if member.message == self.message.number:
            row[0] = member.row
        else:
            member.message = self.message.number
            member.row = row[0]
        return True

    cdef Member* member(self, RowSetOp* row_set) noexcept nogil:
        cdef int32_t symbol = <int32_t>self.message.registers[row_set.symbol].value.i
        cdef int64_t at = <int64_t>symbol * self.program.n_members + row_set.member
        cdef int64_t n = max(<int64_t>256, self.n_members)
        cdef Member* grown
        if at >= self.n_members:
            while n <= at:
                n *= 2
            grown = <Member*>realloc(self.members, n * sizeof(Member))
            if grown == NULL:
                self.fail(NO_MEMORY)
                return NULL
            memset(grown + self.n_members, 0, (n - self.n_members) * sizeof(Member))
            self.members = grown
            self.n_members = n
        return &self.members[at]

    cdef bint note_member(self, RowSetOp* row_set, const uint8_t* p) noexcept nogil:
        cdef Member* member = self.member(row_set)
        if member == NULL:
            return False
        member.noted = self.message.number
        member.last = p
        return True

    cdef const uint8_t* take_member(self, RowSetOp* row_set) noexcept nogil:
        cdef Member* member = self.member(row_set)
        cdef const uint8_t* last
        if member == NULL or member.noted != self.message.number:
            return NULL
        last = member.last
        member.last = NULL
        return last

    cdef bint bits(self, CellOp* cell, Bits* value) noexcept nogil:
        """The value of a cell; null where it may be."""
        value[0] = cell.constant
        if cell.register >= 0:
            if (self.message.have >> cell.register) & 1:
                value[0] = self.message.registers[cell.register].value
            elif cell.required:
                return self.fail(MISSING)
        if cell.is_channel and self.message.sender.labels != NULL:
            value.i = tw_labelled(self.message.sender.labels, value.i)
        return True

    cdef bint store(self, CellOp* cell, int64_t row) noexcept nogil:
        cdef tw_ring* ring = self.targets.at[cell.target]
        cdef void* column = ring.columns[cell.column].values
        cdef int64_t slot = row & ring.mask
        cdef Bits value
        if cell.kind == KIND_TEXT or cell.kind == KIND_BINARY:
            return self.store_text(cell)
        if not self.bits(cell, &value):
            return False
        if cell.kind == KIND_F64:
            (<double*>column)[slot] = value.f
        elif cell.kind == KIND_I64 or cell.kind == KIND_TS:
            (<int64_t*>column)[slot] = value.i
        elif cell.kind == KIND_CODE16:
            (<int16_t*>column)[slot] = <int16_t>value.i
        elif cell.kind == KIND_BOOL:
            (<int8_t*>column)[slot] = <int8_t>value.i
        else:
            (<int32_t*>column)[slot] = <int32_t>value.i
        return True

    cdef bint store_text(self, CellOp* cell) noexcept nogil:
        cdef tw_ring* ring = self.targets.at[cell.target]
        cdef const uint8_t* text
        cdef size_t n
        cdef TextResult result
        if cell.register < 0 or not (self.message.have >> cell.register) & 1:
            if cell.required:
                return self.fail(MISSING)
            tw_put_null_text(&ring.columns[cell.column], ring.head, ring.mask)
            return True
        if not self.plain(&self.message.registers[cell.register], &text, &n):
            if cell.required or not self.leave_null(cell.register):
                return False
            tw_put_null_text(&ring.columns[cell.column], ring.head, ring.mask)
            return True
        result = tw_put_text(ring, cell.column, text, n)
        if result == TEXT_OK:
            return True
        return self.fail(FULL if result == TEXT_FULL else TOO_LONG)

    cdef bint plain(self, const Register* register, const uint8_t** text, size_t* n) noexcept nogil:
        """The text of a register, its escapes resolved in the scratch: valid until the next."""
        cdef uint8_t* out
        cdef Py_ssize_t n_plain
        text[0] = register.p
        n[0] = register.n
        if not register.escaped:
            return True
        out = self.room(register.n)
        if out == NULL:
            return self.fail(NO_MEMORY)
        n_plain = unescape(register.p, register.n, out)
        if n_plain < 0:
            return self.fail(BAD_TEXT)
        text[0] = out
        n[0] = <size_t>n_plain
        return True

    cdef bint finish(self, RouteOp* route) noexcept nogil:
        """After the walk: a row where a book has no level, and which row is the message's last."""
        cdef int32_t i
        cdef int target
        cdef tw_ring* ring
        cdef int8_t* last
        if route.apart.n and not self.turn_sides(route):
            return False
        for i in range(route.marks_last.n):
            target = self.program.numbers[route.marks_last.first + i]
            ring = self.targets.at[target]
            if ring.head == ring.message_start:
                if (self.message.kept_back >> target) & 1:
                    continue    # it had levels, of symbols that the source does not name
                if (self.message.unmatched >> target) & 1 and self.gave_others(route, target):
                    continue    # what `when` left out of it was for another table
                if not self.fill_empty(route, target):
                    return False
                if ring.head == ring.message_start:
                    continue
            last = <int8_t*>ring.columns[self.program.last_columns[target]].values
            tw_fill_column(last, ring.mask, ring.message_start, ring.head, 0, 0)
            last[(ring.head - 1) & ring.mask] = 1
        return True

    cdef bint gave_others(self, RouteOp* route, int target) noexcept nogil:
        """Whether a message had rows of another table, and is none that a book's chain counts."""
        cdef uint64_t left = route.targets & ~(<uint64_t>1 << target)
        cdef int other
        if route.spliced:
            return False
        while left:
            other = tw_lowest_bit(left)
            left &= left - 1
            if (self.message.kept_back >> other) & 1 \
                    or self.targets.at[other].head != self.targets.at[other].message_start:
                return True
        return False

    cdef RowSetOp* empty_of(self, RouteOp* route, int target) noexcept nogil:
        """The rows that a message without a level would have had, by what stands outside of them.

        Of a message that a book's chain counts the first, where none fit; else NULL: it is none of
        a book's.
        """
        cdef RowSetOp* row_set
        cdef RowSetOp* first = NULL
        cdef int32_t i
        for i in range(route.row_sets.n):
            row_set = &self.program.row_sets[route.row_sets.first + i]
            if row_set.target != target:
                continue
            if self.holds(row_set, row_set.n_outer):
                return row_set
            if first == NULL:
                first = row_set
        return first if route.spliced else NULL

    cdef bint fill_empty(self, RouteOp* route, int target) noexcept nogil:
        """One row with what the levels would have shared: it says that there are none."""
        cdef RowSetOp* row_set = self.empty_of(route, target)
        cdef tw_ring* ring = self.targets.at[target]
        cdef int32_t i
        if row_set == NULL:
            return True
        if self.message.deferring and row_set.symbol >= 0 \
                and (self.message.have >> row_set.symbol) & 1 \
                and not self.is_allowed(
                    <int32_t>self.message.registers[row_set.symbol].value.i):
            self.left_out[target] += 1
            return True
        if not tw_has_room(ring):
            return self.fail(FULL)
        for i in range(self.program.null_cells[target].n):
            if not self.store(
                &self.program.cells[self.program.null_cells[target].first + i], ring.head
            ):
                return False
        for i in range(row_set.empty.n):
            if not self.store(&self.program.cells[row_set.empty.first + i], ring.head):
                return False
        ring.head += 1
        return True


cdef int log2_of_bytes(int kind) noexcept nogil:
    """Bytes of a column's value, which is no text."""
    if kind == KIND_F64 or kind == KIND_I64 or kind == KIND_TS:
        return 3
    if kind == KIND_CODE16:
        return 1
    return 0 if kind == KIND_BOOL else 2
