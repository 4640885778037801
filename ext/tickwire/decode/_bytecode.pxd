"""A compiled declaration as C arrays: what the walker reads.

Indices are into the arrays of the same `Bytecode`; -1 means none. A register is one value of the
message being decoded; bit r of a mask stands for register r.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    MAX_REGISTERS = 64
    MAX_TURNS = 16      # siblings that give rows
    MAX_TARGETS = 64    # tables of a source: a bit each

# actions.Op
cdef enum Op:
    OP_NUMBER = 0
    OP_INTEGER = 1
    OP_INTEGER32 = 2
    OP_TIME = 3
    OP_RFC3339 = 4
    OP_FLAG = 5
    OP_TEXT = 6
    OP_CODE = 7
    OP_CHOICE = 8
    OP_SIGN = 9
    OP_PART = 10
    OP_MEMBER_KEY = 11
    OP_GIVEN = 12
    OP_PART_NUMBER = 13
    OP_LOOKUP = 14

cdef enum DictionaryName:
    NO_DICTIONARY = -1
    DICT_SYMBOL = 0
    DICT_CHANNEL = 1
    DICT_SIDE = 2
    DICT_INTERVAL = 3

# How a scalar of a declaration is compared with one of a message.
cdef enum Form:
    FORM_STRING = 0
    FORM_NUMBER = 1
    FORM_WORD = 2       # true, false

cdef enum Relation:
    REL_EQUAL = 0
    REL_PREFIX = 1
    REL_SUFFIX = 2
    REL_PRESENT = 3
    REL_ABSENT = 4
    REL_UNLIKE = 5

cdef enum RouteKind:
    ROUTE_DATA = 0
    ROUTE_ACKNOWLEDGE = 1
    ROUTE_ERROR = 2
    ROUTE_PING = 3
    ROUTE_PONG = 4
    ROUTE_IGNORE = 5
    ROUTE_SNAPSHOT = 6
    ROUTE_BACKFILL = 7

cdef extern from "tickwire/decode/register.h" nogil:
    ctypedef union Bits "tw_bits":
        int64_t i
        double f

cdef struct Scalar:
    int form
    uint32_t n
    const uint8_t* text
    double number
    int64_t result      # choices: a code or a bool
    bint is_escaped     # JSON spells the text with a backslash

cdef struct Range:
    int32_t first
    int32_t n

cdef struct ActionOp:
    int op
    int register
    int dictionary
    int64_t operand     # unit_ns of a time, the addend of an integer
    int64_t later_ns    # added to a time
    bint or_us          # of a time in ms: too large for one, it is a count of us
    int index
    uint8_t separator
    bint magnitude
    bint upper
    bint rest               # of a piece: with all that is behind it
    bint has_otherwise
    bint or_null        # of a choice: what is none of them is null
    bint optional       # what cannot be read is null
    int64_t otherwise
    Range choices

cdef struct Edge:
    uint64_t head       # a key's first eight bytes, the first in the lowest byte
    uint32_t n
    const uint8_t* text
    int32_t index       # a position; negative from the end
    int32_t node
    int32_t turn        # place among the siblings that give rows, -1 for the others
    bint required       # absent is an error: rows that are not optional stand below

cdef struct NodeOp:
    uint64_t registers  # set at or below this node
    Range keys
    Range items
    Range actions
    Range key_actions
    Range rows          # row sets that end here, in numbers
    Range containers    # row sets whose items this value holds, in numbers
    Range fills
    int32_t each
    int32_t members
    int32_t observe
    int32_t n_turns
    bint from_end
    bint gives_rows
    bint only_lists     # nothing but an array whose elements are all of one kind
    bint optional       # rows end at or below and all of them may be absent

cdef struct CellOp:     # a column's value, from a register or constant
    int32_t target
    int32_t column
    int32_t kind
    int32_t register
    Bits constant
    bint required
    bint is_channel

cdef struct RowSetOp:
    int32_t target
    uint64_t needs
    int32_t symbol
    int32_t ts_event
    int32_t trade_id
    int32_t time        # registers that tell two trades of one id apart: those of its time and
    int32_t price       # price, or the symbol's
    int32_t once        # index of the memory of ids, -1 without
    Range id_parts      # registers whose texts together are the id, in numbers; none: trade_id
    int32_t carry       # index of the carried state, -1 without
    int32_t member      # number among the row sets of members, -1 for the others
    bint carry_reset
    Range stores
    Range fills
    Range empty
    Range zeros         # pairs of registers, in numbers
    Range carried       # pairs of a register and a column, in numbers
    Range conditions    # pairs of a register and what it must be for a row, in numbers
    int32_t n_outer     # conditions of what stands outside of the item, the first ones

cdef extern from "tickwire/decode/sides.h" nogil:
    ctypedef struct Sides "tw_sides":
        int32_t side
        int32_t symbol
        int32_t time
        int32_t ask
        int32_t bid

cdef struct TestOp:
    int32_t register
    int32_t relation
    Range values

cdef struct RouteOp:
    int kind
    int32_t root
    bint requested
    bint is_raw
    bint is_plain       # rows that were asked for, and no more to it
    Range tests         # raw: one, on the whole text
    Range router_tests  # the same on what the router observes
    Range rivals        # tests of earlier routes that might match too: first, n, ... in numbers
    uint64_t targets    # bit per table
    int32_t given       # register of the symbol that the caller gives, -1 without
    int32_t snapshot_id     # register of a snapshot's last update id, -1 for others
    int32_t number          # register of the message's number on its connection, -1 without
    int32_t packed          # register of the text that holds another message, -1 without
    int packed_form
    size_t packed_most_bytes
    int32_t inside          # number of the route that holds it, -1 for a message of its own
    bint spliced
    int32_t splice_symbol   # registers, -1 without
    int32_t splice_first
    int32_t splice_last
    int32_t splice_prev
    int32_t splice_checksum
    int32_t splice_flag     # whether it is a snapshot, where the message says so; else:
    bint splice_is_snapshot
    Range marks_last    # targets, in numbers
    Range apart         # cells of the columns in which sides differ, where asks are declared first
    Sides sides
    Range row_sets


cdef class Bytecode:
    cdef readonly object program
    cdef list keep              # what the structs point into
    cdef readonly int n_routes
    cdef readonly int n_once
    cdef dict once              # (table, channel or None) -> number of a memory of ids
    cdef readonly int n_carry
    cdef readonly int n_members
    cdef int n_nodes
    cdef int n_cells
    cdef int router             # root node of the tree that only observes
    cdef NodeOp* nodes
    cdef Edge* edges
    cdef ActionOp* actions
    cdef Scalar* scalars
    cdef CellOp* cells
    cdef RowSetOp* row_sets
    cdef RouteOp* routes
    cdef TestOp* tests
    cdef int32_t* numbers
    cdef int32_t last_columns[MAX_TARGETS]  # column `last` of each table, -1 without
    cdef Range null_cells[MAX_TARGETS]      # a null for every nullable column of such a table

    cdef const uint8_t* text(self, bytes text)

# The C form of a program. It never changes, so the decoders of one program and the same
# dictionaries share it.
cdef Bytecode bytecode_of(object program, object dictionaries)
