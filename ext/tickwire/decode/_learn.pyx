"""Learning scripts; the theory is in the declaration."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from tickwire.decode._bytecode cimport Edge, NodeOp, Range, RouteOp, RowSetOp
from tickwire.decode._draft cimport Draft, Progress
from tickwire.decode._draft_route cimport RouteDraft
from tickwire.decode._draft_rows cimport RowDraft
from tickwire.decode._draft_scalars cimport ScalarDraft
from tickwire.decode._script cimport Place, Script, tw_beginning_of
from tickwire.decode._steps cimport Steps
from tickwire.decode._template cimport (
    STEP_END, STEP_MARK, STEP_NODE, STEP_OBSERVE, STEP_PLAIN_END, STEP_ROWS, Step, edge_of,
)
from tickwire.decode._values cimport (
    TEXT_NUMBER, TEXT_STRING, Text, read_scalar, tw_skip_space, tw_skip_value, tw_string_end,
)

cdef enum:
    MAX_KEYS = 128      # of one object; `flatten.py` refuses more
    SEEN_WORDS = 2      # a bit for each of them


cdef class Learner:
    """Learns the scripts of a source's messages.

    Parameters
    ----------
    steps
        What helps the kernels that run them.
    """

    def __cinit__(self, Steps steps):
        self.program = steps.program
        self.draft = Draft(steps)
        self.routes = RouteDraft(self.draft)
        self.rows = RowDraft(self.draft)
        self.scalars = ScalarDraft(self.draft)

    cdef bint learn(self, Script* script, RouteOp* route, uint64_t observed, const uint8_t* p,
                    const uint8_t* end) noexcept nogil:
        """Make the script of a text.

        Shape    one payload, p..end, whose rows are staged.
        Units    as in the registers.
        Returns  False where a script cannot read it; then this one has no steps.
        Threads  the loop's thread only.
        Memory   the payload is borrowed until the return; nothing is allocated.
        Source   the theory of scripts, in `_script.pxd`.
        """
        cdef int i
        self.draft.begin(script, route, p, end)
        if not self.whole(route, p) or not self.routes.verify(observed):
            script.n_steps = 0
            return False
        script.kernel = self.kernels.script_lean
        for i in range(script.n_steps):
            if script.steps[i].kind > STEP_PLAIN_END:
                script.kernel = self.kernels.script_slack
            elif self.kernels.codes != NULL:
                script.steps[i].code = self.kernels.codes[script.steps[i].kind]
        return True

    cdef bint whole(self, RouteOp* route, const uint8_t* p) noexcept nogil:
        """All steps of a message, and what is due at its end."""
        cdef NodeOp* root = &self.program.nodes[route.root]
        cdef Script* script = self.draft.script
        cdef const uint8_t* end = self.draft.end
        cdef Step* step = script.steps
        if route.given >= 0 or p >= end or (p[0] != c'{' and p[0] != c'['):
            return False
        if self.item(route.root, p) != end or not self.draft.reach(end) \
                or self.draft.add(STEP_END, -1) == NULL or step.kind == STEP_NODE:
            return False    # the last: the whole is walked
        script.fills = root.fills.n and not self.rows.fill(root, 0, 0)
        script.must_close = script.fills or script.n_late or route.marks_last.n > 0
        # A row that is no element of an array begins where its first value does.
        if step.n == 0 and step.kind == STEP_ROWS and not (<Place*>step.rows).is_list:
            step += 1
        script.beginning = tw_beginning_of(step.literal, <uint32_t>step.n)
        return True

    # ---- Values

    cdef const uint8_t* value(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value by steps, or where they do not fit by a walk."""
        cdef Progress progress = self.draft.note()
        cdef const uint8_t* after = self.observed(number, p)
        if after != NULL or progress.row != NULL:
            return after
        self.draft.return_to(&progress)
        return self.walk(number, p)

    cdef const uint8_t* observed(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value, with what routing sees of it."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef bint is_alone = node.actions.n == 0 and node.rows.n == 0
        cdef bint quoted
        cdef Text text
        # A container equals nothing, and is there.
        if node.observe < 0 or p[0] == c'{' or p[0] == c'[':
            return self.item(number, p)
        if not read_scalar(p, self.draft.end, &text):
            return NULL
        quoted = text.form == TEXT_STRING
        if text.form == TEXT_NUMBER and self.routes.is_presence(node.observe):
            return self.item(number, p)
        if self.routes.freezes(node.observe, &text):
            if is_alone:
                return text.after
            if not self.draft.reach(p + quoted) or self.draft.add(STEP_MARK, -1) == NULL \
                    or not self.draft.reach(text.after - quoted) or not self.draft.back(quoted):
                return NULL
        elif is_alone and quoted and not text.escaped \
                and self.routes.prefix_of(node.observe, &text):
            return self.draft.skip_behind(
                p, self.routes.prefix_of(node.observe, &text), text.after
            )
        elif quoted and not text.escaped:
            self.draft.progress.dynamic |= <uint64_t>1 << node.observe
            if not self.draft.reach(p + 1):
                return NULL
            if is_alone:
                self.draft.progress.at = text.after - 1
                return text.after if self.draft.add(STEP_OBSERVE, node.observe) != NULL else NULL
            if self.draft.add(STEP_MARK, -1) == NULL \
                    or self.draft.add(STEP_OBSERVE, node.observe) == NULL \
                    or not self.draft.back(quoted):
                return NULL
        else:
            return self.walk(number, p)
        self.draft.progress.at = p + quoted
        return self.item(number, p)

    cdef const uint8_t* item(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value, with the rows that end there."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef int32_t* row_sets = &self.program.numbers[node.rows.first]
        cdef const uint8_t* after
        cdef int first = self.draft.script.n_places
        cdef uint64_t walked = self.draft.progress.walked
        cdef int32_t i
        if node.gives_rows and p[0] == c'n':
            return tw_skip_value(p, self.draft.end)
        if node.rows.n and self.draft.progress.row != NULL:
            return NULL
        if node.rows.n == 1 and self.rows.can_loop(&self.program.row_sets[row_sets[0]]):
            after = self.row(number, p)
        else:
            after = self.content(number, p)
            for i in range(node.rows.n):
                if after == NULL or not self.draft.reach(after) \
                        or not self.rows.emit(&self.program.row_sets[row_sets[i]]):
                    return NULL
        if after != NULL and node.fills.n and number != self.draft.route.root \
                and not self.rows.fill(node, first, walked) \
                and (first or walked or not self.rows.late(node.fills)):
            return NULL
        return after

    cdef const uint8_t* content(self, int32_t number, const uint8_t* p) noexcept nogil:
        cdef NodeOp* node = &self.program.nodes[number]
        if p[0] == c'{':
            return self.keyed(node, p) if node.each < 0 and node.keys.n else self.walk(number, p)
        if p[0] == c'[':
            if node.each >= 0 and self.is_routed_by_form(node, p):
                return self.listed(number, p)
            if node.each < 0 and node.items.n and node.containers.n == 0:
                return self.indexed(node, p)
            return self.walk(number, p)
        return self.scalars.read(node, p) if node.actions.n else self.draft.skip(p)

    cdef const uint8_t* walk(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value that is walked where it stands."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef Progress* progress = &self.draft.progress
        cdef Step* step
        if (node.gives_rows and progress.row != NULL) or not self.draft.reach(p):
            return NULL
        step = self.draft.add(STEP_NODE, -1)
        if step == NULL:
            return NULL
        step.node = number
        step.first = p[0]
        progress.unsure |= node.registers
        if node.gives_rows:
            if self.draft.route.targets & progress.closed:
                return NULL
            progress.walked |= self.draft.route.targets
        progress.at = tw_skip_value(p, self.draft.end)
        return progress.at

    cdef const uint8_t* keyed(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An object whose places are known by their keys."""
        cdef const uint8_t* end = self.draft.end
        cdef const uint8_t* stop
        cdef Edge* edge
        cdef uint64_t[SEEN_WORDS] seen
        cdef int32_t turn = -1
        cdef bint escaped
        seen[0] = seen[1] = 0
        p = tw_skip_space(p + 1, end)
        while p[0] != c'}':
            stop = tw_string_end(p + 1, end, &escaped)
            if stop == NULL or escaped:
                return NULL
            edge = edge_of(self.program, node.keys, p + 1, stop - p - 1)
            p = tw_skip_space(tw_skip_space(stop + 1, end) + 1, end)
            p = self.place(node.keys, edge, p, seen, &turn)
            if p == NULL:
                return NULL
        return p + 1

    cdef const uint8_t* indexed(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An array whose places are known by their indices."""
        cdef Edge* edge
        cdef uint64_t[SEEN_WORDS] seen
        cdef int32_t index = 0, turn = -1
        cdef int32_t n_elements = self.count(p, MAX_KEYS)
        cdef bint twice = False
        seen[0] = seen[1] = 0
        if n_elements == MAX_KEYS or node.items.n > MAX_KEYS:
            return NULL
        p = tw_skip_space(p + 1, self.draft.end)
        while p[0] != c']':
            edge = self.at_index(node.items, index, n_elements, &twice)
            if twice:
                return NULL
            p = self.place(node.items, edge, p, seen, &turn)
            if p == NULL:
                return NULL
            index += 1
        return p + 1

    cdef Edge* at_index(self, Range edges, int32_t index, int32_t n_elements, bint* twice) \
            noexcept nogil:
        """The place of an element; `twice` tells that it is two, one of them from the end."""
        cdef Edge* edge
        cdef Edge* found = NULL
        cdef int32_t i
        for i in range(edges.n):
            edge = &self.program.edges[edges.first + i]
            if edge.index == index or edge.index == index - n_elements:
                twice[0] = found != NULL
                found = edge
        return found

    cdef int32_t count(self, const uint8_t* p, int32_t most) noexcept nogil:
        """The elements of an array, at most so many."""
        cdef const uint8_t* end = self.draft.end
        cdef int32_t n = 0
        p = tw_skip_space(p + 1, end)
        while p[0] != c']' and n < most:
            n += 1
            p = tw_skip_space(tw_skip_value(p, end), end)
            if p[0] == c',':
                p = tw_skip_space(p + 1, end)
        return n

    cdef const uint8_t* place(self, Range edges, Edge* edge, const uint8_t* p, uint64_t* seen,
                              int32_t* turn) noexcept nogil:
        """What stands at a key or index, none of the declared ones for NULL; gives where the next
        key or element begins, or what closes them."""
        cdef int64_t i
        cdef bint is_empty
        if edge == NULL:
            p = self.draft.skip(p)
        else:
            # A key that stands twice, or rows out of their order, are left to the walk.
            is_empty = p[0] == c'[' and tw_skip_space(p + 1, self.draft.end)[0] == c']'
            i = edge - &self.program.edges[edges.first]
            if (seen[i >> 6] >> (i & 63)) & 1 or (not is_empty and -1 < edge.turn < turn[0]):
                return NULL
            seen[i >> 6] |= <uint64_t>1 << (i & 63)
            if not is_empty:
                turn[0] = max(turn[0], edge.turn)
            p = self.value(edge.node, p)
        if p == NULL:
            return NULL
        p = tw_skip_space(p, self.draft.end)
        return tw_skip_space(p + 1, self.draft.end) if p[0] == c',' else p

    cdef const uint8_t* listed(self, int32_t number, const uint8_t* p) noexcept nogil:
        """An array whose elements are all of one kind."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef NodeOp* element = &self.program.nodes[node.each]
        cdef const uint8_t* after = tw_skip_value(p, self.draft.end)
        cdef int32_t n = self.count(p, 2)
        if n == 0:
            return after
        if element.rows.n == 1 and element.observe < 0 and self.draft.progress.row == NULL \
                and self.rows.can_loop(
                    &self.program.row_sets[self.program.numbers[element.rows.first]]) \
                and self.are_of_a_length(p):
            return self.row_list(node.each, p, node.items.n > 0)
        if n > 1 or node.items.n:
            return self.walk(number, p)
        return after if self.value(node.each, tw_skip_space(p + 1, self.draft.end)) != NULL \
            else NULL

    cdef bint is_routed_by_form(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """Whether routing asks nothing of an array's elements but which numbers the first one has.

        Then the steps of an element say it.
        """
        cdef Edge* edge = &self.program.edges[node.items.first]
        cdef NodeOp* first
        cdef NodeOp* seen
        cdef Text text
        cdef int32_t index = 0, n_elements
        cdef bint twice = False
        if node.items.n == 0:
            return True
        first = &self.program.nodes[edge.node]
        p = tw_skip_space(p + 1, self.draft.end)
        if node.items.n > 1 or edge.index != 0 or first.actions.n or first.rows.n \
                or first.each >= 0 or first.fills.n or p[0] != c'[':
            return False
        n_elements = self.count(p, MAX_KEYS)
        p = tw_skip_space(p + 1, self.draft.end)
        while p[0] != c']':
            edge = self.at_index(first.items, index, n_elements, &twice)
            if edge != NULL:
                seen = &self.program.nodes[edge.node]
                if twice or seen.actions.n or seen.rows.n or seen.each >= 0 or seen.keys.n \
                        or (seen.observe >= 0 and not self.routes.is_presence(seen.observe)) \
                        or not read_scalar(p, self.draft.end, &text) or text.form != TEXT_NUMBER:
                    return False
            p = tw_skip_space(tw_skip_value(p, self.draft.end), self.draft.end)
            if p[0] == c',':
                p = tw_skip_space(p + 1, self.draft.end)
            index += 1
        return True

    cdef bint are_of_a_length(self, const uint8_t* p) noexcept nogil:
        """Whether elements that are arrays have as many elements each: one stands for all."""
        cdef const uint8_t* end = self.draft.end
        cdef int32_t n = -1
        p = tw_skip_space(p + 1, end)
        while p[0] == c'[':
            if n >= 0 and self.count(p, MAX_KEYS) != n:
                return False
            n = self.count(p, MAX_KEYS)
            p = tw_skip_space(tw_skip_value(p, end), end)
            if p[0] == c',':
                p = tw_skip_space(p + 1, end)
        return True

    cdef bint are_alike(self, const uint8_t* p) noexcept nogil:
        """Whether the elements of an array begin as the last place of rows says."""
        cdef const Step* first = self.draft.script.places[self.draft.script.n_places - 1].first
        cdef const uint8_t* end = self.draft.end
        p += 1
        while True:
            if end - p < <int64_t>first.n or memcmp(p, first.literal, first.n) != 0:
                return False
            p = tw_skip_value(p, end)
            if p == NULL:
                return False    # a space, where elements have no literal
            p = tw_skip_space(p, end)
            if p[0] != c',':
                return True
            p += 1

    cdef const uint8_t* row(self, int32_t number, const uint8_t* p) noexcept nogil:
        """A value that is a row."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef RowSetOp* row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        if not self.rows.begin(row_set, p, False):
            return NULL
        p = self.content(number, p)
        return p if p != NULL and self.draft.reach(p) and self.rows.end(row_set) else NULL

    cdef const uint8_t* row_list(self, int32_t number, const uint8_t* p, bint is_routed) \
            noexcept nogil:
        """An array of rows, whose first element stands for all."""
        cdef NodeOp* node = &self.program.nodes[number]
        cdef RowSetOp* row_set = &self.program.row_sets[self.program.numbers[node.rows.first]]
        cdef const uint8_t* q
        cdef uint64_t have = self.draft.progress.have
        cdef int first = self.draft.script.n_places
        if not self.rows.begin(row_set, p, True):
            return NULL
        self.draft.progress.row.element = number
        self.draft.progress.row.is_routed = is_routed
        self.draft.progress.at = p + 1
        q = self.content(number, tw_skip_space(p + 1, self.draft.end))
        # Elements with spaces between them are all unlike the first.
        if q == NULL or not self.draft.reach(q) or (q[0] != c',' and q[0] != c']') \
                or (q[0] == c',' and tw_skip_space(q + 1, self.draft.end) != q + 1) \
                or not self.rows.end(row_set) or not self.are_alike(p):
            return NULL
        if node.fills.n and not self.rows.fill(node, first, self.draft.progress.walked):
            return NULL
        self.draft.progress.at = tw_skip_value(p, self.draft.end)
        self.draft.progress.have = have
        return self.draft.progress.at
