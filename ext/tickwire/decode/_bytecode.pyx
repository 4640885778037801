"""Packs the flat lists of `flatten.py` into C arrays; once, when a source is built."""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from tickwire.decode.flatten import Flat
from tickwire.schema import Kind

_DICTIONARIES = {
    "": NO_DICTIONARY,
    "symbol": DICT_SYMBOL,
    "channel": DICT_CHANNEL,
    "side": DICT_SIDE,
    "interval": DICT_INTERVAL,
}
_FORMS = {str: FORM_STRING, float: FORM_NUMBER, bool: FORM_WORD}
_RELATIONS = {
    "equal": REL_EQUAL,
    "prefix": REL_PREFIX,
    "suffix": REL_SUFFIX,
    "present": REL_PRESENT,
    "absent": REL_ABSENT,
    "unlike": REL_UNLIKE,
}
_KINDS = {
    "data": ROUTE_DATA,
    "acknowledge": ROUTE_ACKNOWLEDGE,
    "error": ROUTE_ERROR,
    "ping": ROUTE_PING,
    "pong": ROUTE_PONG,
    "ignore": ROUTE_IGNORE,
    "snapshot": ROUTE_SNAPSHOT,
    "backfill": ROUTE_BACKFILL,
}


cdef void* _array(size_t n, size_t size) except NULL:
    cdef void* memory = calloc(max(n, <size_t>1), size)
    if memory == NULL:
        raise MemoryError
    return memory


cdef Range _range(object pair):
    cdef Range made
    made.first, made.n = pair
    return made


cdef Bytecode bytecode_of(object program, object dictionaries):
    cdef Bytecode made
    if program.bytecode is not None and program.bytecode[0] is dictionaries:
        return program.bytecode[1]
    made = Bytecode(program, dictionaries)
    program.bytecode = (dictionaries, made)
    return made


cdef class Bytecode:
    """The C form of a Program.

    Parameters
    ----------
    program
        A `decode.program.Program`.
    dictionaries
        The feed's `ring.Dictionaries`: constants become codes here.
    """

    def __cinit__(self, program, dictionaries):
        flat = Flat(program, dictionaries)
        self.program = program
        self.keep = [flat]
        self.n_routes = len(program.routes)
        self.router = flat.router
        self.n_nodes = len(flat.nodes)
        self.n_once = len(flat.once)
        self.once = flat.once
        self.n_carry = len(flat.carry)
        self.n_members = flat.n_members
        self._pack_scalars(flat.scalars)
        self._pack_nodes(flat.nodes)
        self._pack_edges(flat.edges)
        self._pack_actions(flat.actions)
        self._pack_cells(flat.cells)
        self._pack_row_sets(flat.row_sets)
        self._pack_routes(flat.routes)
        self._pack_tests(flat.tests)
        for i, (column, cells) in enumerate(flat.marking):
            self.last_columns[i] = column
            self.null_cells[i] = _range(cells)
        self.numbers = <int32_t*>_array(len(flat.numbers), sizeof(int32_t))
        for i, number in enumerate(flat.numbers):
            self.numbers[i] = number

    def __dealloc__(self):
        free(self.nodes)
        free(self.edges)
        free(self.actions)
        free(self.scalars)
        free(self.cells)
        free(self.row_sets)
        free(self.routes)
        free(self.tests)
        free(self.numbers)

    cdef const uint8_t* text(self, bytes text):
        self.keep.append(text)
        return <const uint8_t*>text

    def _pack_scalars(self, list rows):
        self.scalars = <Scalar*>_array(len(rows), sizeof(Scalar))
        for i, (form, text, number, result) in enumerate(rows):
            self.scalars[i].form = _FORMS[form]
            self.scalars[i].n = len(text)
            self.scalars[i].text = self.text(text)
            self.scalars[i].number = number
            self.scalars[i].result = result
            self.scalars[i].is_escaped = any(c < 0x20 or c in b'"\\' for c in text)

    def _pack_nodes(self, list rows):
        cdef NodeOp* node
        self.nodes = <NodeOp*>_array(len(rows), sizeof(NodeOp))
        for i, row in enumerate(rows):
            node = &self.nodes[i]
            node.registers = row.registers
            node.keys = _range(row.keys)
            node.items = _range(row.items)
            node.actions = _range(row.actions)
            node.key_actions = _range(row.key_actions)
            node.rows = _range(row.rows)
            node.containers = _range(row.containers)
            node.fills = _range(row.fills)
            node.each = row.each
            node.members = row.members
            node.observe = row.observe
            node.n_turns = row.n_turns
            node.from_end = row.from_end
            node.gives_rows = row.gives_rows
            node.only_lists = (
                node.each >= 0 and node.items.n == 0 and node.rows.n == 0 and node.fills.n == 0
                and node.observe < 0
            )
            node.optional = row.optional

    def _pack_edges(self, list rows):
        cdef Edge* edge
        cdef bytes text
        self.edges = <Edge*>_array(len(rows), sizeof(Edge))
        for i, (step, node, turn, required) in enumerate(rows):
            edge = &self.edges[i]
            edge.node = node
            edge.turn = turn
            edge.required = required
            if isinstance(step, int):
                edge.index = step
                continue
            text = step.encode()
            edge.n = len(text)
            edge.text = self.text(text)
            memcpy(&edge.head, <const uint8_t*>text, min(len(text), 8))

    def _pack_actions(self, list rows):
        cdef ActionOp* op
        self.actions = <ActionOp*>_array(len(rows), sizeof(ActionOp))
        for i, (action, choices, otherwise) in enumerate(rows):
            op = &self.actions[i]
            op.op = action.op
            op.register = action.register
            op.dictionary = _DICTIONARIES[action.dictionary]
            op.operand = action.unit_ns or action.add
            op.later_ns = action.add if action.unit_ns else 0
            op.or_us = action.or_us
            op.index = action.index
            op.separator = ord(action.separator) if action.separator else 0
            op.magnitude = action.magnitude
            op.upper = action.upper
            op.rest = action.rest
            op.choices = _range(choices)
            op.has_otherwise = otherwise is not None
            op.or_null = action.or_null
            op.optional = action.optional
            op.otherwise = otherwise or 0

    def _pack_cells(self, list rows):
        cdef CellOp* cell
        self.n_cells = len(rows)
        self.cells = <CellOp*>_array(len(rows), sizeof(CellOp))
        for i, (target, column, kind, register, constant, required, is_channel) in enumerate(rows):
            cell = &self.cells[i]
            cell.target = target
            cell.column = column
            cell.kind = kind
            cell.register = register
            if kind == Kind.F64:
                cell.constant.f = constant
            else:
                cell.constant.i = constant
            cell.required = required
            cell.is_channel = is_channel

    def _pack_row_sets(self, list rows):
        cdef RowSetOp* op
        self.row_sets = <RowSetOp*>_array(len(rows), sizeof(RowSetOp))
        for i, row in enumerate(rows):
            op = &self.row_sets[i]
            declared = row.declared
            op.target = declared.table
            op.needs = declared.needs
            op.symbol = declared.symbol
            op.ts_event = declared.ts_event
            op.trade_id = declared.trade_id
            op.time = declared.ts_event if declared.ts_event >= 0 else declared.symbol
            op.price = declared.price if declared.price >= 0 else declared.symbol
            op.once = row.once
            op.id_parts = _range(row.id_parts)
            op.carry = row.carry
            op.carry_reset = declared.carry_reset
            op.member = row.member
            op.stores = _range(row.stores)
            op.fills = _range(row.fills)
            op.empty = _range(row.empty)
            op.zeros = _range(row.zeros)
            op.carried = _range(row.carried)
            op.conditions = _range(row.conditions)
            op.n_outer = declared.n_outer

    def _pack_routes(self, list rows):
        cdef RouteOp* op
        self.routes = <RouteOp*>_array(len(rows), sizeof(RouteOp))
        for i, row in enumerate(rows):
            op = &self.routes[i]
            route = row.route
            op.kind = _KINDS[route.kind]
            op.root = row.root
            op.requested = route.requested
            op.is_raw = route.raw is not None
            op.tests = _range(row.tests)
            op.router_tests = _range(row.router_tests)
            op.rivals = _range(row.rivals)
            op.targets = row.targets
            op.given = route.given
            op.snapshot_id = route.snapshot_id
            op.spliced = route.spliced is not None
            op.number = route.number
            op.packed = route.packed
            op.packed_form = route.packed_form
            op.packed_most_bytes = route.packed_most_bytes
            op.inside = route.inside
            op.is_plain = (
                op.kind == ROUTE_DATA and route.requested and not op.spliced and op.number < 0
                and op.packed < 0
            )
            if op.spliced:
                numbers = route.spliced
                (op.splice_symbol, op.splice_first, op.splice_last, op.splice_prev,
                 op.splice_checksum, op.splice_flag) = numbers.registers
                op.splice_is_snapshot = numbers.is_snapshot
            op.marks_last = _range(row.marks_last)
            op.apart = _range(row.apart)
            (op.sides.side, op.sides.symbol, op.sides.time, op.sides.ask, op.sides.bid) = row.sides
            op.row_sets = _range(row.row_sets)

    def _pack_tests(self, list rows):
        self.tests = <TestOp*>_array(len(rows), sizeof(TestOp))
        for i, (register, relation, values) in enumerate(rows):
            self.tests[i].register = register
            self.tests[i].relation = _RELATIONS[relation]
            self.tests[i].values = _range(values)
