"""From registers to rows: what a message has said becomes rows at the heads of the rings.

Rows are staged only. `Decoder` publishes them at the end of a read, or takes them back.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tickwire.decode._last_values cimport LastValues
from tickwire.decode._bytecode cimport (
    MAX_REGISTERS, Bits, CellOp, Bytecode, Range, RouteOp, RowSetOp,
)
from tickwire.decode._numbers cimport NumberTable
from tickwire.decode._seen cimport Seen
from tickwire.decode._targets cimport Targets
from tickwire.decode._values cimport Register
from tickwire.ring._tw_ring cimport tw_ring

cdef enum Outcome:
    DONE = 0
    NOT_JSON = 1
    MISSING = 2
    WRONG_KIND = 3
    BAD_NUMBER = 4
    BAD_TIME = 5
    UNKNOWN_CHOICE = 6
    BAD_TEXT = 7
    TOO_LONG = 8
    TOO_MANY_ROWS = 9
    DICTIONARY_FULL = 10
    NO_MEMORY = 11
    AGAIN = 12          # walk once more, places that give rows last
    FULL = 13           # a ring is full now
    BAD_PACKED = 14     # what should hold a message cannot be unpacked

cdef enum:
    MAX_ZEROS = 16      # columns of one row set that a condition makes zero

cdef extern from "tickwire/base/bits.h" nogil:
    int tw_lowest_bit(uint64_t value)

cdef extern from "tickwire/decode/step.h" nogil:
    enum:
        MAX_LABELS "TW_MAX_LABELS"

    # Channel names that a connection has instead of the plan's.
    ctypedef struct Labels "tw_labels":
        int n
        int64_t* plan
        int64_t* name

    int64_t tw_labelled(const Labels* labels, int64_t channel)

# What the connection of a message adds to it; it is the connection's.
cdef struct Sender:
    const Labels* labels            # NULL for none
    const NumberTable* numbers      # what `lookup` looks in; NULL for none
    int32_t given_symbol            # of what names none; -1 without

# The message being decoded.
cdef struct Message:
    const uint8_t* end
    uint64_t have                   # registers that hold a value
    uint64_t unreadable             # registers whose value could not be read, in the careful walk
    uint64_t kept_back              # tables of which a row was not requested, or is a duplicate
    uint64_t unmatched              # tables of which `when` left out a row
    Outcome outcome
    bint deferring                  # places that give rows are read last
    uint64_t number                 # counts the messages walked
    const Sender* sender            # set by who has it decoded, for as long as that lasts
    Register registers[MAX_REGISTERS]

cdef extern from "tickwire/decode/fill.h" nogil:
    ctypedef struct Fill "tw_fill":
        uint8_t* column
        const tw_ring* ring
        const Bits* value
        Bits constant
        uint64_t bit
        int32_t target
        int32_t log2_bytes
        int32_t required
        int32_t is_channel

    int tw_fill_columns(
        const Fill* fill, int32_t n, const int64_t* firsts, uint64_t have, const Labels* labels
    )

# The row that an object's member gave.
cdef struct Member:
    uint64_t message                # Message.number
    int64_t row
    uint64_t noted                  # Message.number too, of a walk with care
    const uint8_t* last             # where the last value of the key stands; NULL when taken


@cython.final
cdef class Stage:
    cdef Message message
    cdef Sender no_sender
    cdef Bytecode program
    cdef Targets targets
    cdef Seen seen
    cdef LastValues last_values
    cdef uint8_t* allowed           # by symbol code: the source names it; NULL: all are allowed
    cdef int32_t n_allowed
    cdef int64_t* unreadable        # [route * MAX_REGISTERS + register]: values left null
    cdef int64_t left_null[MAX_REGISTERS]   # of this message
    cdef int64_t* unconfigured      # by target: rows left out, as the source does not name them
    cdef int64_t* left_out          # by target: those of the message that is walked with care
    cdef Fill* fills                # by cell of the program
    cdef uint8_t* scratch           # one unescaped text
    cdef size_t scratch_bytes
    cdef Member* members            # [symbol * program.n_members + RowSetOp.member]
    cdef int64_t n_members

    # Give rows what they share: those of each table from `firsts` on, up to its head; NULL: all of
    # the message.
    cdef inline bint fill(self, Range cells, const int64_t* firsts) noexcept nogil:
        if tw_fill_columns(
            &self.fills[cells.first], cells.n, firsts, self.message.have,
            self.message.sender.labels,
        ):
            return True
        return self.fail(MISSING)

    # A message begins; it has no rows yet.
    cdef inline void begin(self, RouteOp* route) noexcept nogil:
        cdef uint64_t left = route.targets
        cdef int target
        self.message.have = 0
        self.message.kept_back = 0
        self.message.unmatched = 0
        self.message.outcome = DONE
        self.message.number += 1
        while left:
            target = tw_lowest_bit(left)
            left &= left - 1
            self.targets.at[target].message_start = self.targets.at[target].head
        if route.given >= 0 and self.message.sender.given_symbol >= 0:
            self.message.registers[route.given].value.i = self.message.sender.given_symbol
            self.message.have |= <uint64_t>1 << route.given
        self.seen.begin()
        self.last_values.begin()

    # Staged rows of the message are gone, and what was remembered with them.
    cdef void rollback(self, RouteOp* route) noexcept nogil
    # False: `message.outcome` says why.
    cdef bint emit(self, RowSetOp* row_set) noexcept nogil
    cdef void _bind(self, Fill* fill, CellOp* cell) noexcept nogil
    cdef bint finish(self, RouteOp* route) noexcept nogil
    # Room for n bytes; NULL without memory.
    cdef uint8_t* room(self, size_t n) noexcept nogil

    cdef bint fail(self, Outcome outcome) noexcept nogil
    cdef bint stage_row(self, RowSetOp* row_set) noexcept nogil
    cdef inline bint is_allowed(self, int32_t symbol) noexcept nogil:
        return self.allowed == NULL or (symbol < self.n_allowed and self.allowed[symbol])

    # A walk that defers begins, or has ended well: its rows that were left out count then.
    cdef void begin_deferring(self) noexcept nogil
    # What the careful walk has left out, when its message counts.
    cdef void count_left_out(self, int route) noexcept nogil
    cdef bint joined_id(self, RowSetOp* row_set, uint64_t* joined) noexcept nogil
    # A row that is left out is noted in `message.kept_back` or `message.unmatched`.
    cdef bint prepare(self, RowSetOp* row_set, bint* wanted) noexcept nogil
    # False: it cannot be null, or not yet; `message.outcome` says why.
    cdef bint leave_null(self, int32_t register) noexcept nogil
    cdef bint carry_over(self, RowSetOp* row_set, int32_t symbol) noexcept nogil
    cdef bint claim_member(self, RowSetOp* row_set, int64_t* row) noexcept nogil
    cdef Member* member(self, RowSetOp* row_set) noexcept nogil
    # For walks with care: the value at p is the last so far of the key that the symbol names.
    cdef bint note_member(self, RowSetOp* row_set, const uint8_t* p) noexcept nogil
    # Its last value; NULL if that has been taken.
    cdef const uint8_t* take_member(self, RowSetOp* row_set) noexcept nogil
    cdef bint store(self, CellOp* cell, int64_t row) noexcept nogil
    cdef bint store_text(self, CellOp* cell) noexcept nogil
    cdef bint plain(self, const Register* register, const uint8_t** text, size_t* n) noexcept nogil
    cdef bint bits(self, CellOp* cell, Bits* value) noexcept nogil
    # Bids before asks, where asks are declared first.
    cdef bint turn_sides(self, RouteOp* route) noexcept nogil
    cdef bint fill_empty(self, RouteOp* route, int target) noexcept nogil
    cdef bint holds(self, RowSetOp* row_set, int32_t n) noexcept nogil
    cdef RowSetOp* empty_of(self, RouteOp* route, int target) noexcept nogil
    cdef bint gave_others(self, RouteOp* route, int target) noexcept nogil

cdef int log2_of_bytes(int kind) noexcept nogil
