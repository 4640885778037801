"""The walk; its theory is in the declaration. JSON is RFC 8259."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free

from tickwire.decode._bytecode cimport (
    MAX_TARGETS, ROUTE_ACKNOWLEDGE, ROUTE_PONG, NodeOp, RouteOp,
)
from tickwire.decode._learn cimport Learner
from tickwire.decode._script cimport Script, Scripts
from tickwire.decode._stage cimport (
    AGAIN, DONE, FULL, NOT_JSON, WRONG_KIND, Outcome, Stage,
)
from tickwire.decode._steps cimport (
    TW_STOP_END, TW_STOP_MISS, TW_STOP_NODE, Run, Steps, tw_choose_kernels,
)
from tickwire.decode._template cimport Step, Template, learn
from tickwire.decode._values cimport tw_skip_space
from tickwire.ring._tw_ring cimport tw_has_room, tw_ring
from tickwire.wire._simd cimport force_simd_level


cdef class Walker(General):
    """The interpreter of one source's program.

    Parameters
    ----------
    stage
        Where rows are staged.
    dictionaries
        The feed's `ring.Dictionaries`.
    """

    def __cinit__(self, Stage stage, dictionaries):
        self.steps = Steps(self.reader)
        tw_choose_kernels(&self.kernels)
        self.templates = <Template*>calloc(self.program.n_nodes, sizeof(Template))
        if self.templates == NULL:
            raise MemoryError
        self.scripts = Scripts(self.program)
        self.learner = Learner(self.steps)
        self.learner.kernels = self.kernels

    def __dealloc__(self):
        free(self.templates)

    @property
    def cached_levels(self):
        """Levels of books that were known from before."""
        return self.scripts.cached_levels + sum(
            self.templates[number].level_cache.n_known for number in range(self.program.n_nodes)
        )

    cdef Outcome run(self, int route, const uint8_t* p, const uint8_t* end, bint is_sure) \
            noexcept nogil:
        """Decode a message by a route; `is_sure` where the route is verified.

        Shape    one payload, p..end; its rows are staged at the heads of the rings.
        Units    see `Stage.emit`.
        Returns  DONE; or why not, and then no row is staged and nothing remembered.
        Threads  the loop's thread only.
        Memory   the payload is borrowed until the return; nothing is allocated but what new symbols
                 need.
        Source   RFC 8259; docs/design.md, "From messages to rows".
        """
        cdef RouteOp* op = &self.program.routes[route]
        cdef int attempt
        self.message.end = end
        for attempt in range(2):
            self.was_careful = attempt > 0
            self.stage.begin(op)
            if self.walk(op, p):
                self.message.deferring = False
                if is_sure:
                    self.count_left_out(route)
                return DONE
            self.stage.rollback(op)
            # What is wrong may be the value of a key that stands again later.
            if self.message.outcome != AGAIN and (
                not is_sure or self.message.outcome == FULL or self.message.outcome == NOT_JSON
            ):
                break
            self.stage.begin_deferring()
        self.message.deferring = False
        return self.message.outcome

    cdef void count_left_out(self, int route) noexcept nogil:
        """Count what the last message, which is one of the route, has left out."""
        if self.was_careful:
            self.stage.count_left_out(route)

    cdef void study_message(self, int32_t route, uint64_t observed, const uint8_t* p,
                            const uint8_t* end) noexcept nogil:
        """Learn a script from a message that has just been walked, if it is worth it."""
        cdef Script* script
        if self.was_careful:
            return
        # Acknowledgements, errors, pings and pongs are few, and a script is 44 KB.
        if ROUTE_ACKNOWLEDGE <= self.program.routes[route].kind <= ROUTE_PONG:
            return
        script = self.scripts.place(route)
        if script == NULL:
            return
        if self.learner.learn(script, &self.program.routes[route], observed, p, end):
            if not self.scripts.merge(route, script, self.learner.draft.strict):
                self.scripts.add(route, script)
        else:
            self.scripts.refuse(route, script)

    cdef inline void prepare(self, Run* run, const Step* steps) noexcept nogil:
        run.steps = steps
        run.step = steps
        run.end = self.message.end
        run.registers = self.message.registers
        run.have = &self.message.have

    cdef bint close(self, RouteOp* route, bint fills) noexcept nogil:
        """What is due at the end of a message."""
        cdef NodeOp* root = &self.program.nodes[route.root]
        # The row of an empty book, which comes last, has not all that levels share.
        return (
            (not fills or self.stage.fill(root.fills, NULL))
            and (route.marks_last.n == 0 or self.stage.finish(route))
        )

    cdef Outcome observe(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        cdef const uint8_t* after
        self.message.end = end
        self.message.deferring = False
        self.message.have = 0
        self.message.outcome = DONE
        after = self.visit(self.program.router, tw_skip_space(p, end))
        if after != NULL and tw_skip_space(after, end) != end:
            self.fail(NOT_JSON)
        return self.message.outcome

    cdef bint walk(self, RouteOp* route, const uint8_t* p) noexcept nogil:
        cdef NodeOp* root = &self.program.nodes[route.root]
        cdef const uint8_t* start = tw_skip_space(p, self.message.end)
        cdef const uint8_t* after = self.directly(route.root, start)
        cdef bint closed = after != NULL
        if after == NULL and self.message.outcome == DONE:
            after = self.content(root, start)
        if after == NULL:
            return False
        if after != self.message.end and tw_skip_space(after, self.message.end) != self.message.end:
            self.fail(NOT_JSON)
            return False
        if root.observe >= 0:
            self.note(root.observe, start, after)
        return (closed or root.rows.n == 0 or self.close_rows(root, start)) \
            and self.close(route, root.fills.n > 0)

    cdef inline const uint8_t* directly(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value that is one row, and its row; NULL where it is to be read another way."""
        cdef Template* template = &self.templates[number]
        if template.direct and not self.message.deferring:
            return self.row(template, p)
        return NULL

    cdef const uint8_t* value(self, int32_t number, const uint8_t* p) noexcept nogil:
        cdef NodeOp* node = &self.program.nodes[number]
        cdef const uint8_t* after
        if node.only_lists and p < self.message.end and p[0] == c'[':
            return self.each(node, p)
        after = self.directly(number, p)
        if after != NULL or self.message.outcome != DONE:
            return after
        return self.visit(number, p)

    cdef const uint8_t* visit(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value, not as one row."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef const uint8_t* after
        cdef int64_t firsts[MAX_TARGETS]
        cdef int32_t i, target
        for i in range(node.fills.n):
            target = self.program.cells[node.fills.first + i].target
            firsts[target] = self.targets.at[target].head
        after = self.content(node, p)
        if after == NULL:
            return NULL
        if node.observe >= 0:
            self.note(node.observe, p, after)
        if node.rows.n and not self.close_rows(node, p):
            return NULL
        if node.fills.n and not self.stage.fill(node.fills, firsts):
            return NULL
        return after

    cdef const uint8_t* content(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        if p >= self.message.end:
            return self.fail(NOT_JSON)
        if p[0] == c'{':
            if node.each >= 0 and not node.optional and self.program.nodes[node.each].gives_rows:
                return self.fail(WRONG_KIND)    # routing knows its keys, but its rows are elements
            if node.keys.n:
                return self.keyed(node, p)
            if node.members >= 0:
                return self.members(node, p)
            return self.unwanted(node, p)
        if p[0] == c'[':
            if node.each >= 0 or node.items.n:
                return self.listed(node, p)
            return self.unwanted(node, p)
        return self.scalar(node, p)

    cdef const uint8_t* keyed(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An object with known keys; p at its brace."""
        cdef const uint8_t* after
        if self.message.deferring:
            return self.keyed_last(node, p)
        after = self.swiftly(&self.templates[node - self.program.nodes], p)
        if after != NULL or self.message.outcome != DONE:
            return after
        after = self.keyed_slowly(node, p)
        if after != NULL:
            self.study(node, p, after)
        return after

    cdef const uint8_t* swiftly(self, Template* template, const uint8_t* p) noexcept nogil:
        """By the template: behind the value; NULL with outcome DONE where it does not fit."""
        cdef Run run
        cdef Step* step
        cdef bint gave_rows = False
        if template.n_steps == 0 or self.message.deferring:
            return NULL
        self.message.have &= ~template.taken
        self.prepare(&run, template.steps)
        while True:
            p = self.kernels.flat(&run, p)
            step = <Step*>run.step
            if run.stop == TW_STOP_END:
                template.misses = 0
                template.misses_to_learn = 0
                return p
            if run.stop == TW_STOP_NODE:
                p = self.value(step.node, p)
                gave_rows = gave_rows or step.turn >= 0
            elif run.stop == TW_STOP_MISS:
                break
            else:
                p = self.steps.help(step, run.stop, p)
            if p == NULL:
                break
            run.step += 1
        if gave_rows and self.message.outcome == DONE:
            self.fail(AGAIN)    # the fallback would give the rows a second time
        return NULL

    cdef const uint8_t* row(self, Template* template, const uint8_t* p) noexcept nogil:
        """Write the row that a value is into the columns, and count it.

        Shape    one row at the ring's head.
        Units    as in the columns.
        Returns  behind the text; NULL where it looks otherwise, with the ring full, or with
                 `message.outcome` set where a value is wrong.
        Threads  the loop's thread only.
        Memory   the ring's.
        Source   the theory of templates, in `_template.pxd`.
        """
        cdef tw_ring* ring = self.targets.at[template.target]
        cdef Run run
        run.row = ring.head
        if run.row >= ring.message_start + ring.max_message_rows or not tw_has_room(ring):
            return NULL
        self.message.have &= ~template.registers
        self.prepare(&run, template.steps)
        while True:
            p = self.kernels.row(&run, p)
            if run.stop == TW_STOP_END:
                return p if self.admit(template, run.row) else NULL
            if run.stop == TW_STOP_MISS:
                return NULL
            p = self.steps.help_row(<Step*>run.step, run.stop, p, run.row)
            if p == NULL:
                return NULL
            run.step += 1

    cdef inline bint admit(self, Template* template, int64_t row) noexcept nogil:
        """Count the row if it is requested; False with `message.outcome` set."""
        cdef bint wanted = True
        cdef int i
        if template.conditional:
            if not self.stage.prepare(template.row_set, &wanted):
                return False
            if not wanted:
                return True
        for i in range(template.n_rest):
            if not self.stage.store(template.rest[i], row):
                return False
        self.targets.at[template.target].head = row + 1
        return True

    cdef inline const uint8_t* rows(self, Template* template, const uint8_t* p, bint* closed) \
            noexcept nogil:
        """Write the elements of an array into the columns, p at the first.

        Shape    a row each from the ring's head on, each wanted and filled by its steps.
        Units    as in the columns.
        Returns  the first element that does not fit, or what is behind the closing bracket with
                 `closed`; `message.outcome` is set where a value is wrong.
        Threads  the loop's thread only.
        Memory   the ring's.
        Source   the theory of templates, in `_template.pxd`.
        """
        cdef tw_ring* ring = self.targets.at[template.target]
        cdef int64_t most = ring.message_start + ring.max_message_rows
        cdef Run run
        self.prepare(&run, template.steps)
        run.row = ring.head
        run.element = p
        run.level_cache = &template.level_cache
        while run.row < most and tw_has_room(ring):
            run.last = min(most, ring.limit)
            run.stop = TW_STOP_MISS
            if template.levels and self.kernels.levels != NULL and run.step == run.steps:
                p = self.kernels.levels(&run, p)
            if run.stop == TW_STOP_MISS and run.row < run.last:
                p = self.kernels.many(&run, p)
            ring.head = run.row
            if run.stop == TW_STOP_END:
                closed[0] = True
                return p
            if run.stop == TW_STOP_MISS:
                if run.row < run.last:
                    break
                run.step = run.steps
                continue
            p = self.steps.help_row(<Step*>run.step, run.stop, p, run.row)
            if p == NULL:
                break
            run.step += 1
        return run.element

    cdef const uint8_t* single_rows(self, Template* template, const uint8_t* p, bint* closed) \
            noexcept nogil:
        """The same where a row may not be wanted, or not all of it is read by steps."""
        cdef const uint8_t* end = self.message.end
        cdef const uint8_t* after
        while True:
            after = self.row(template, p)
            if after == NULL:
                return p
            # The row counts by now, so that it may not be read once more.
            after = tw_skip_space(after, end)
            if after >= end or (after[0] != c',' and after[0] != c']'):
                return self.fail(NOT_JSON)
            if after[0] == c']':
                closed[0] = True
                return after + 1
            p = tw_skip_space(after + 1, end)

    cdef void study(self, NodeOp* node, const uint8_t* p, const uint8_t* after) noexcept nogil:
        """Learn what has just been read by the fallback."""
        cdef Template* template = &self.templates[node - self.program.nodes]
        if self.message.deferring:
            return
        # Bound anew, a template of levels would know none of them.
        if learn(template, self.program, self.message.registers, node, p, after):
            self.steps.bind(template, node)

    cdef const uint8_t* listed(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An array, by element or by index; p at its bracket."""
        cdef const uint8_t* after
        if node.each >= 0 and node.items.n == 0:
            return self.each(node, p)
        if node.each >= 0 or node.from_end or node.containers.n:
            return self.listed_slowly(node, p)
        after = self.swiftly(&self.templates[node - self.program.nodes], p)
        if after != NULL or self.message.outcome != DONE:
            return after
        after = self.listed_slowly(node, p)
        if after != NULL:
            self.study(node, p, after)
        return after

    cdef const uint8_t* each(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An array whose elements are all of one kind."""
        cdef const uint8_t* end = self.message.end
        cdef NodeOp* element = &self.program.nodes[node.each]
        cdef Template* template = &self.templates[node.each]
        cdef int64_t firsts[MAX_TARGETS]
        cdef bint closed = False
        # The constants of rows that are written directly are written with them.
        cdef bint must_fill = False
        self.note_heads(node, firsts)
        p = tw_skip_space(p + 1, end)
        if p < end and p[0] == c']':
            return p + 1
        while True:
            if template.direct and not self.message.deferring:
                if template.plain:
                    must_fill = True
                    p = self.rows(template, p, &closed)
                else:
                    p = self.single_rows(template, p, &closed)
                if self.message.outcome != DONE:
                    return NULL
                if closed:
                    break
                p = tw_skip_space(p, end)
            self.message.have &= ~element.registers
            must_fill = True
            p = self.visit(node.each, p)
            if p == NULL:
                return NULL
            p = tw_skip_space(p, end)
            if p >= end or (p[0] != c',' and p[0] != c']'):
                return self.fail(NOT_JSON)
            if p[0] == c']':
                p += 1
                break
            p = tw_skip_space(p + 1, end)
        return p if not must_fill or self.fill_containers(node, firsts) else NULL


def _force_simd_level(level: str | None) -> bool:
    """Let decoders that are made from now on use another level, for tests; None: the best."""
    return force_simd_level(level)
