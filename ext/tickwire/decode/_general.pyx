"""Values by the fallback: any order of keys, any spelling; the theory is in `_walk.pxd`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from tickwire.decode._bytecode cimport MAX_TARGETS, Edge, NodeOp, Range
from tickwire.decode._stage cimport AGAIN, DONE, MISSING, NOT_JSON, WRONG_KIND, Outcome, Stage
from tickwire.decode._read cimport Reader
from tickwire.decode._values cimport (
    TEXT_NULL, Text, read_scalar, tw_skip_space, tw_skip_value,
    tw_string_end,
)

cdef enum:
    # Known keys of one object; `flatten.py` refuses more.
    MAX_KEYS = 128
    # Elements that an array with indices from its end may have before the first of them.
    MOST_COUNTED = 1 << 20


cdef class General:
    """Reads objects and arrays as they come, one key or element after the other.

    Parameters
    ----------
    stage
        Where rows are staged.
    dictionaries
        The feed's `ring.Dictionaries`.
    """

    def __cinit__(self, Stage stage, dictionaries):
        self.stage = stage
        self.targets = stage.targets
        self.program = stage.program
        self.reader = Reader(stage, dictionaries)
        self.message = &stage.message

    cdef const uint8_t* fail(self, Outcome outcome) noexcept nogil:
        # The innermost failure is the reason.
        if self.message.outcome == DONE:
            self.message.outcome = outcome
        return NULL

    cdef const uint8_t* value(self, int32_t number, const uint8_t* p) noexcept nogil:
        """Read the value at p for a node, with all that happens at its end; a walker knows how."""
        return self.fail(NOT_JSON)

    cdef const uint8_t* unwanted(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An object or array where another thing was declared."""
        cdef const uint8_t* after
        cdef int32_t i
        if node.gives_rows and (
            node.each >= 0 or node.members >= 0 or node.items.n or node.keys.n
        ):
            return self.fail(WRONG_KIND)
        for i in range(node.actions.n):
            if not self.reader.refuse(&self.program.actions[node.actions.first + i]):
                return NULL
        after = tw_skip_value(p, self.message.end)
        return self.fail(NOT_JSON) if after == NULL else after

    cdef const uint8_t* scalar(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        cdef Text text
        cdef Text copy
        cdef int32_t i
        if not read_scalar(p, self.message.end, &text):
            return self.fail(NOT_JSON)
        if node.actions.n == 0:
            if node.gives_rows and not (node.optional and text.form == TEXT_NULL) and (
                node.each >= 0 or node.members >= 0 or node.items.n or node.keys.n
            ):
                return self.fail(MISSING if text.form == TEXT_NULL else WRONG_KIND)
            return text.after
        for i in range(node.actions.n):
            copy = text
            if not self.reader.act(&self.program.actions[node.actions.first + i], &copy):
                return NULL
        return text.after

    cdef const uint8_t* keyed_slowly(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        cdef const uint8_t* end = self.message.end
        cdef Edge* edge
        cdef Turns turns
        cdef int expected = 0
        turns.done = 0
        turns.late = 0
        p = tw_skip_space(p + 1, end)
        if p < end and p[0] == c'}':
            return p + 1 if self.late_turns(node.keys, &turns) else NULL
        while True:
            p = self.key(node, p, &edge, &expected)
            if p == NULL:
                return NULL
            if edge == NULL:
                p = tw_skip_value(p, end)
                if p == NULL:
                    return self.fail(NOT_JSON)
            else:
                p = self.follow(edge, p, &turns)
                if p == NULL:
                    return NULL
            p = tw_skip_space(p, end)
            if p >= end:
                return self.fail(NOT_JSON)
            if p[0] == c'}':
                return p + 1 if self.late_turns(node.keys, &turns) else NULL
            if p[0] != c',':
                return self.fail(NOT_JSON)
            p = tw_skip_space(p + 1, end)

    cdef const uint8_t* key(self, NodeOp* node, const uint8_t* p, Edge** edge, int* expected) \
            noexcept nogil:
        """A key and its colon: the start of its value, and its edge, NULL for an unknown key."""
        cdef const uint8_t* end = self.message.end
        cdef const uint8_t* stop
        cdef bint escaped
        if p >= end or p[0] != c'"':
            return self.fail(NOT_JSON)
        stop = tw_string_end(p + 1, end, &escaped)
        if stop == NULL:
            return self.fail(NOT_JSON)
        edge[0] = self.find(node.keys, p + 1, stop - p - 1, escaped, expected)
        p = tw_skip_space(stop + 1, end)
        if p >= end or p[0] != c':':
            return self.fail(NOT_JSON)
        return tw_skip_space(p + 1, end)

    cdef const uint8_t* keyed_last(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An object, its values read at its end: the last of equal keys, rows behind the rest."""
        cdef const uint8_t* end = self.message.end
        cdef const uint8_t* places[MAX_KEYS]
        cdef Edge* edges = &self.program.edges[node.keys.first]
        cdef Edge* edge
        cdef int expected = 0
        cdef int32_t i, turn
        for i in range(node.keys.n):
            places[i] = NULL
        p = tw_skip_space(p + 1, end)
        while p >= end or p[0] != c'}':
            p = self.key(node, p, &edge, &expected)
            if p == NULL:
                return NULL
            if edge != NULL:
                places[edge - edges] = p
            p = tw_skip_value(p, end)
            if p == NULL:
                return self.fail(NOT_JSON)
            p = tw_skip_space(p, end)
            if p >= end or (p[0] != c',' and p[0] != c'}'):
                return self.fail(NOT_JSON)
            if p[0] == c',':
                p = tw_skip_space(p + 1, end)
                if p < end and p[0] == c'}':
                    return self.fail(NOT_JSON)
        for turn in range(-1, node.n_turns):
            for i in range(node.keys.n):
                if edges[i].turn != turn:
                    continue
                if places[i] == NULL:
                    if turn >= 0 and edges[i].required:
                        return self.fail(MISSING)
                    continue
                self.message.have &= ~self.program.nodes[edges[i].node].registers
                if self.value(edges[i].node, places[i]) == NULL:
                    return NULL
        return p + 1

    cdef Edge* find(self, Range keys, const uint8_t* key, size_t n, bint escaped, int* expected) \
            noexcept nogil:
        """The edge of a key; keys are expected in the order of the declaration."""
        cdef Edge* edges = &self.program.edges[keys.first]
        cdef Text text
        cdef uint64_t head = 0
        cdef int _i
        cdef int at = expected[0]
        if escaped:
            text.p = key
            text.n = n
            text.escaped = True
            if not self.reader.plain(&text):
                self.message.outcome = DONE     # no UTF-8, so no key that is known
                return NULL
            key = text.p
            n = text.n
        memcpy(&head, key, n if n < 8 else 8)
        for _i in range(keys.n):
            if at >= keys.n:
                at = 0
            if edges[at].head == head and edges[at].n == n and (
                n <= 8 or memcmp(edges[at].text + 8, key + 8, n - 8) == 0
            ):
                expected[0] = at + 1
                return &edges[at]
            at += 1
        return NULL

    cdef const uint8_t* follow(self, Edge* edge, const uint8_t* p, Turns* turns) noexcept nogil:
        """The value of a known key or index, now or at the end of its object."""
        cdef uint32_t bit
        cdef uint64_t registers = self.program.nodes[edge.node].registers
        if turns.done and edge.turn < 0 and self.message.have & registers:
            return self.fail(AGAIN)     # rows may have taken what an equal key had set
        # What an equal key before has set counts no more.
        self.message.have &= ~registers
        if edge.turn < 0:
            return self.value(edge.node, p)
        bit = <uint32_t>1 << edge.turn
        if turns.done & bit:
            return self.fail(AGAIN)
        if self.message.deferring or turns.done != bit - 1:
            turns.late |= bit
            turns.places[edge.turn] = p
            p = tw_skip_value(p, self.message.end)
            return self.fail(NOT_JSON) if p == NULL else p
        turns.done |= bit
        turns.late &= ~bit      # an equal key before came too early and counts no more
        return self.value(edge.node, p)

    cdef bint late_turns(self, Range edges, Turns* turns) noexcept nogil:
        """Read what was put off, in order; and see that no required place is missing."""
        cdef Edge* edge
        cdef int32_t turn, i
        cdef uint32_t seen = turns.done | turns.late
        cdef int32_t n_turns = 0
        for i in range(edges.n):
            edge = &self.program.edges[edges.first + i]
            if edge.turn >= 0:
                n_turns += 1
                if edge.required and not (seen >> edge.turn) & 1:
                    self.fail(MISSING)
                    return False
        if turns.late == 0:
            return True
        for turn in range(n_turns):
            if not (turns.late >> turn) & 1:
                continue
            for i in range(edges.n):
                edge = &self.program.edges[edges.first + i]
                if edge.turn == turn and self.value(edge.node, turns.places[turn]) == NULL:
                    return False
        return True

    cdef const uint8_t* listed_slowly(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        cdef const uint8_t* end = self.message.end
        cdef const uint8_t* ahead
        cdef int64_t firsts[MAX_TARGETS]
        cdef int32_t index = 0
        cdef int32_t n_elements = 0
        cdef Turns turns
        turns.done = 0
        turns.late = 0
        self.note_heads(node, firsts)
        p = tw_skip_space(p + 1, end)
        if node.from_end:
            ahead = p
            while ahead < end and ahead[0] != c']':
                ahead = tw_skip_value(ahead, end)
                if ahead == NULL or n_elements == MOST_COUNTED:
                    return self.fail(NOT_JSON)
                n_elements += 1
                ahead = tw_skip_space(ahead, end)
                if ahead < end and ahead[0] == c',':
                    ahead = tw_skip_space(ahead + 1, end)
        if p < end and p[0] == c']':
            p += 1
        else:
            while True:
                p = self.element(node, p, index, n_elements, &turns)
                if p == NULL:
                    return NULL
                index += 1
                p = tw_skip_space(p, end)
                if p >= end or (p[0] != c',' and p[0] != c']'):
                    return self.fail(NOT_JSON)
                if p[0] == c']':
                    p += 1
                    break
                p = tw_skip_space(p + 1, end)
        if node.items.n and not self.late_turns(node.items, &turns):
            return NULL
        return p if self.fill_containers(node, firsts) else NULL

    cdef const uint8_t* element(self, NodeOp* node, const uint8_t* p, int32_t index,
                                int32_t n_elements, Turns* turns) noexcept nogil:
        cdef const uint8_t* after = NULL
        cdef Edge* edge
        cdef int32_t i
        if node.each >= 0:
            self.message.have &= ~self.program.nodes[node.each].registers
            after = self.value(node.each, p)
            if after == NULL:
                return NULL
        for i in range(node.items.n):
            edge = &self.program.edges[node.items.first + i]
            if edge.index == index or edge.index + n_elements == index and edge.index < 0:
                after = self.follow(edge, p, turns)
                if after == NULL:
                    return NULL
        if after == NULL:
            after = tw_skip_value(p, self.message.end)
            if after == NULL:
                return self.fail(NOT_JSON)
        return after

    cdef const uint8_t* members(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """An object whose members give rows; p at its brace."""
        cdef const uint8_t* end = self.message.end
        cdef int64_t firsts[MAX_TARGETS]
        cdef int32_t row_set = -1
        cdef int32_t i, number
        self.note_heads(node, firsts)
        for i in range(node.containers.n):
            number = self.program.numbers[node.containers.first + i]
            if self.message.deferring and self.program.row_sets[number].member >= 0:
                row_set = number
        p = tw_skip_space(p + 1, end)
        if p < end and p[0] == c'}':
            return p + 1
        if row_set >= 0 and not self.note_members(node, p, row_set):
            return NULL
        while True:
            p = self.member(node, p, row_set)
            if p == NULL:
                return NULL
            p = tw_skip_space(p, end)
            if p >= end or (p[0] != c',' and p[0] != c'}'):
                return self.fail(NOT_JSON)
            if p[0] == c'}':
                return p + 1 if self.fill_containers(node, firsts) else NULL
            p = tw_skip_space(p + 1, end)

    cdef const uint8_t* member_key(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """Read a member's key into its registers; gives where the value stands."""
        cdef const uint8_t* end = self.message.end
        cdef NodeOp* below = &self.program.nodes[node.members]
        cdef int32_t i
        cdef Text key
        cdef Text copy
        if p >= end or p[0] != c'"' or not read_scalar(p, end, &key):
            return self.fail(NOT_JSON)
        p = tw_skip_space(key.after, end)
        if p >= end or p[0] != c':':
            return self.fail(NOT_JSON)
        self.message.have &= ~below.registers
        for i in range(below.key_actions.n):
            copy = key
            if not self.reader.act(&self.program.actions[below.key_actions.first + i], &copy):
                return NULL
        return tw_skip_space(p + 1, end)

    cdef const uint8_t* member(self, NodeOp* node, const uint8_t* p, int32_t row_set) \
            noexcept nogil:
        """One member. With a row set that `note_members` has gone through, of equal keys the first
        is read as if the last value stood there, and the others are skipped."""
        cdef const uint8_t* place = self.member_key(node, p)
        if place == NULL:
            return NULL
        if row_set < 0:
            return self.value(node.members, place)
        p = self.stage.take_member(&self.program.row_sets[row_set])
        if p != NULL and self.value(node.members, p) == NULL:
            return NULL
        p = tw_skip_value(place, self.message.end)
        return self.fail(NOT_JSON) if p == NULL else p

    cdef bint note_members(self, NodeOp* node, const uint8_t* p, int32_t row_set) noexcept nogil:
        """Note for each key where its last value stands; p at the first key."""
        cdef const uint8_t* end = self.message.end
        while True:
            p = self.member_key(node, p)
            if p == NULL:
                return False
            if not self.stage.note_member(&self.program.row_sets[row_set], p):
                return False
            p = tw_skip_value(p, end)
            if p == NULL:
                self.fail(NOT_JSON)
                return False
            p = tw_skip_space(p, end)
            if p >= end or p[0] != c',':
                return True     # what is wrong here is found by who reads the members
            p = tw_skip_space(p + 1, end)

    cdef bint close_rows(self, NodeOp* node, const uint8_t* p) noexcept nogil:
        """The rows that end with this value."""
        cdef int32_t i
        if node.rows.n and node.optional and p[0] == c'n':
            return True     # null where rows are optional
        for i in range(node.rows.n):
            if not self.stage.emit(
                &self.program.row_sets[self.program.numbers[node.rows.first + i]]
            ):
                return False
        return True
