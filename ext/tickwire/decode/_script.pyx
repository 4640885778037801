"""Linking scripts; what they are is explained in the declaration."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from tickwire.decode._bytecode cimport REL_EQUAL, CellOp, NodeOp, RouteOp, RowSetOp, TestOp
from tickwire.decode._stage cimport Stage
from tickwire.decode._steps cimport kind_of_store
from tickwire.decode._template cimport (
    MAX_LITERAL, STEP_END, STEP_F64, STEP_LITERAL, STEP_NODE, STEP_OBSERVE, STEP_ROWS,
    STEP_ROW_END, STORE_8, STORE_NO_TEXT, Step, Template,
)
from tickwire.decode._values cimport Register
from tickwire.ring._tw_ring cimport KIND_BINARY, KIND_TEXT, tw_ring

# What the values of steps without a column go into; it is never read.
cdef uint64_t nowhere


cdef bint _add(Script* script, Step* step, int kind) noexcept nogil:
    """A copy of a step of a template, behind what is pending."""
    cdef Step* made
    if script.n_pending + step.n > MAX_LITERAL and not _literal(script):
        return False
    if script.n_steps == MAX_SCRIPT_STEPS:
        return False
    made = &script.steps[script.n_steps]
    made[0] = step[0]
    memcpy(made.literal, script.pending, script.n_pending)
    memcpy(made.literal + script.n_pending, step.literal, step.n)
    made.n = script.n_pending + step.n
    made.mask = <uint32_t>((<uint64_t>1 << made.n) - 1)
    made.kind = kind
    made.before = script.have
    if kind >= STEP_F64 and kind < STEP_LITERAL and kind != STEP_NODE and kind != STEP_END:
        script.have |= <uint64_t>1 << step.reg
    script.n_pending = 0
    script.n_steps += 1
    return True


cdef bint _literal(Script* script) noexcept nogil:
    """A step for what is pending alone."""
    cdef Step step
    memset(&step, 0, sizeof(Step))
    return _add(script, &step, STEP_LITERAL)


cdef bint _expect(Script* script, const uint8_t* p, size_t n) noexcept nogil:
    """The literal of the next step begins with these bytes."""
    cdef size_t part
    while n:
        if script.n_pending == MAX_LITERAL and not _literal(script):
            return False
        part = min(n, <size_t>(MAX_LITERAL - script.n_pending))
        memcpy(script.pending + script.n_pending, p, part)
        script.n_pending += <uint32_t>part
        p += part
        n -= part
    return True


cdef bint _only_holds(NodeOp* node) noexcept nogil:
    """Whether nothing happens at the end of a value, or with it as a whole."""
    return not (node.rows.n or node.fills.n or node.actions.n or node.containers.n) \
        and node.observe < 0


cdef class Scripts:
    """The scripts of one source's routes.

    Parameters
    ----------
    stage
        Where rows are staged.
    """

    def __cinit__(self, Stage stage):
        self.stage = stage
        self.program = stage.program
        self.n_routes = stage.program.n_routes
        self.targets = stage.targets
        self.message = &stage.message
        self.at = <Script**>calloc(max(self.program.n_routes, 1), sizeof(Script*))
        if self.at == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.at != NULL:
            for number in range(self.n_routes):
                free(self.at[number])
        free(self.at)

    @property
    def hits(self):
        """Messages that each route's scripts have read; None for a route that never had one."""
        found = []
        for number in range(self.n_routes):
            if self.at[number] == NULL:
                found.append(None)
                continue
            n_read = self.at[number].n_read + self.at[number].hits
            found.append(n_read if n_read or self.at[number].n_steps else None)
        return found

    cdef void missed(self, int32_t number, uint64_t observed) noexcept nogil:
        cdef Script* script = self.at[number]
        cdef uint32_t tolerance
        cdef uint64_t n_read
        if script == NULL:
            script = <Script*>calloc(1, sizeof(Script))
            if script == NULL:
                return
            self.at[number] = script
        script.misses += 1
        if script.misses <= script.tolerance:
            return
        tolerance = 2 * script.tolerance + 1
        if script.hits > HITS_FORGIVEN * script.misses:
            tolerance = 0
        n_read = script.n_read + script.hits
        if not self._link(script, &self.program.routes[number], observed):
            script.n_steps = 0
        script.n_read = n_read
        script.tolerance = min(tolerance, <uint32_t>MAX_TOLERANCE)

    cdef bint _link(self, Script* script, RouteOp* route, uint64_t observed) noexcept nogil:
        """Link a script that verifies its route, else one that observes all that routing needs."""
        cdef uint64_t asked
        cdef bint unfolds = True
        if not self._begin(script, route, True, unfolds):
            unfolds = False     # there may be too many steps
            if not self._begin(script, route, True, unfolds):
                return False
        # The templates may be of another message of the route, which observed more than this one.
        asked = self.message.have | script.have
        script.verified = (observed & (script.unsure | asked & ~script.frozen)) == 0
        if script.verified or script.frozen == 0:
            return True
        return self._begin(script, route, False, unfolds)

    cdef bint _begin(self, Script* script, RouteOp* route, bint freezes, bint unfolds) \
            noexcept nogil:
        memset(script, 0, sizeof(Script))
        script.freezes = freezes
        script.unfolds = unfolds
        return self._root(script, route)

    cdef bint _root(self, Script* script, RouteOp* route) noexcept nogil:
        cdef Template* template = &self.templates[route.root]
        cdef NodeOp* root = &self.program.nodes[route.root]
        cdef Step step
        cdef int i
        if template.n_steps == 0 or root.observe >= 0:
            return False
        if template.direct:
            memset(&step, 0, sizeof(step))
            if not self._rows(script, route, &step, template, False):
                return False
            if not _add(script, &step, STEP_END):
                return False
        elif root.rows.n or not self._steps(script, route, template):
            return False
        self._fills(script, root)
        script.route = route
        script.must_close = script.fills or route.marks_last.n > 0
        script.beginning = tw_beginning_of(script.steps[0].literal, <uint32_t>script.steps[0].n)
        for i in range(script.n_steps if self.codes != NULL else 0):
            script.steps[i].code = self.codes[script.steps[i].kind]
        return True

    cdef bint _steps(self, Script* script, RouteOp* route, Template* template) noexcept nogil:
        """The steps of a template; those of a row end as a row does."""
        cdef Step* step
        cdef Register* text
        cdef int i
        cdef bint is_row = script.n_places > 0 and template.direct
        for i in range(template.n_steps):
            step = &template.steps[i]
            if step.kind == STEP_OBSERVE and self._freezes(script, route, step):
                text = &self.message.registers[step.reg]
                # Behind its opening quote, which ends the literal, up to its closing one.
                if not _expect(script, step.literal, step.n) \
                        or not _expect(script, text.p + 1, text.n - 2):
                    return False
                script.frozen |= <uint64_t>1 << step.reg
                script.have |= <uint64_t>1 << step.reg
            elif step.kind == STEP_NODE:
                if not self._node(script, route, step):
                    return False
            elif step.kind == STEP_END and is_row:
                return _add(script, step, STEP_ROW_END)
            elif step.kind == STEP_END and template != &self.templates[route.root]:
                return _expect(script, step.literal, step.n)
            elif not _add(script, step, step.kind):
                return False
            elif not is_row:
                script.steps[script.n_steps - 1].store = STORE_8
                script.steps[script.n_steps - 1].column = &nowhere
                script.steps[script.n_steps - 1].slots = 0
        return True

    cdef bint _freezes(self, Script* script, RouteOp* route, Step* step) noexcept nogil:
        """Whether the route asks for one text, so that all its messages have it here."""
        cdef TestOp* test
        cdef int32_t i
        if not script.freezes or not (self.message.have >> step.reg) & 1:
            return False
        if self.message.registers[step.reg].p[0] != c'"':
            return False    # a number, or a word: of a message that the template is not of
        for i in range(route.tests.n):
            test = &self.program.tests[route.tests.first + i]
            if test.register == step.reg and test.relation == REL_EQUAL and test.values.n == 1:
                return True
        return False

    cdef bint _node(self, Script* script, RouteOp* route, Step* step) noexcept nogil:
        """A value that is rows, if every row of it is what its steps read; or one that only holds
        others; any other is walked."""
        cdef NodeOp* node = &self.program.nodes[step.node]
        cdef Template* template
        if node.only_lists and step.first == c'[':
            template = &self.templates[node.each]
            if template.direct and not template.plain:
                return self._rows(script, route, step, template, True)
        elif self.templates[step.node].direct:
            return self._rows(script, route, step, &self.templates[step.node], False)
        elif script.unfolds and self.templates[step.node].n_steps and _only_holds(node):
            return _expect(script, step.literal, step.n) and self._steps(
                script, route, &self.templates[step.node]
            )
        if not _add(script, step, STEP_NODE):
            return False
        script.unsure |= node.registers
        script.walks = True
        return True

    cdef bint _rows(self, Script* script, RouteOp* route, Step* entry, Template* template,
                    bint is_list) noexcept nogil:
        """A place of rows: the step that enters it, and those of a row."""
        cdef Place* place = &script.places[script.n_places]
        cdef RowSetOp* row_set = template.row_set
        cdef int32_t i
        if script.n_places == MAX_PLACES or not _add(script, entry, STEP_ROWS):
            return False
        script.n_places += 1
        script.steps[script.n_steps - 1].rows = place
        place.ring = self.targets.at[template.target]
        place.first = &script.steps[script.n_steps]
        place.bit = <uint64_t>1 << template.target
        place.row_set = row_set
        place.is_list = is_list
        if not self._steps(script, route, template):
            return False
        if row_set.needs & ~script.have:
            return False
        if template.conditional and row_set.symbol >= 0:
            if (script.unsure >> row_set.symbol) & 1:
                return False
            if (script.have >> row_set.symbol) & 1:
                place.symbol = &self.message.registers[row_set.symbol]
                if row_set.once >= 0:
                    if ((script.unsure >> row_set.trade_id) | (script.unsure >> row_set.time)
                            | (script.unsure >> row_set.price)) & 1:
                        return False
                    if (script.have >> row_set.trade_id) & 1:
                        place.trade_id = &self.message.registers[row_set.trade_id]
                        place.facts.time = &self.message.registers[row_set.time].value.i
                        place.facts.price = &self.message.registers[row_set.price].value.i
                        place.memory = &self.stage.seen.memories[row_set.once]
        for i in range(template.n_rest):
            if not self._cell(script, place, template.rest[i]):
                return False
        return True

    cdef bint _cell(self, Script* script, Place* place, CellOp* op) noexcept nogil:
        """A column of a row that no step reads; False where its value is not known in time."""
        cdef tw_ring* ring = self.targets.at[op.target]
        cdef Cell* cell = &place.cells[place.n_cells]
        cdef bint has_value = op.register >= 0 and (script.have >> op.register) & 1
        if place.n_cells == MAX_CELLS or (op.register >= 0 and (script.unsure >> op.register) & 1):
            return False
        if op.required and op.register >= 0 and not has_value:
            return False
        cell.column = ring.columns[op.column].values
        cell.slots = ring.mask
        cell.store = kind_of_store(op.kind)
        if op.kind == KIND_TEXT or op.kind == KIND_BINARY:
            if has_value:
                return False
            cell.column = &ring.columns[op.column]
            cell.store = STORE_NO_TEXT
        cell.is_channel = op.is_channel
        cell.constant = op.constant
        cell.value = &self.message.registers[op.register].value if has_value else &cell.constant
        place.n_cells += 1
        return True

    cdef void _fills(self, Script* script, NodeOp* root) noexcept nogil:
        """What the rows share, as columns of each, if there is one place of them."""
        cdef Place* place = &script.places[0]
        cdef CellOp* op
        cdef int32_t i
        cdef int32_t n_cells = place.n_cells
        script.fills = root.fills.n > 0
        if script.n_places != 1 or script.unsure:
            return
        for i in range(root.fills.n):
            op = &self.program.cells[root.fills.first + i]
            if <uint64_t>1 << op.target != place.bit or not self._is_early(script, place, op) \
                    or not self._cell(script, place, op):
                place.n_cells = n_cells
                return
        script.fills = False

    cdef bint _is_early(self, Script* script, Place* place, CellOp* op) noexcept nogil:
        """Whether a column's value is known where the row ends, or never."""
        cdef Step* end = <Step*>place.first
        while end.kind != STEP_ROW_END:
            end += 1
        return op.register < 0 or ((end.before ^ script.have) >> op.register) & 1 == 0
