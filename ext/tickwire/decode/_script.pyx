"""The scripts of a source's routes; what they are is explained in the declaration."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from tickwire.decode._bytecode cimport Bytecode
from tickwire.decode._template cimport (
    STEP_CODE, STEP_EMIT, STEP_F64, STEP_SKIP_LONG, STEP_SKIP_STRING, STEP_TEXT, Step,
)


cdef class Scripts:
    """The scripts of one source's routes.

    Parameters
    ----------
    program
        What is decoded.
    """

    def __cinit__(self, Bytecode program):
        self.program = program
        self.n_routes = program.n_routes
        self.routes = <RouteScripts*>calloc(max(self.n_routes, 1), sizeof(RouteScripts))
        self.order = <Script**>calloc(max(self.n_routes, 1) * MAX_SCRIPTS, sizeof(Script*))
        if self.routes == NULL or self.order == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.order != NULL:
            for i in range(self.n_order):
                free(self.order[i])
        free(self.spare)
        free(self.order)
        free(self.routes)

    @property
    def hits(self):
        """Messages that each route's scripts have read; None for a route that never had one."""
        found = []
        for number in range(self.n_routes):
            route = &self.routes[number]
            n = route.n_read + sum([route.at[i].hits for i in range(route.n)])
            found.append(n if route.n else None)
        return found

    @property
    def cached_levels(self):
        """Levels of books that scripts knew from before."""
        return self.n_cached_before + sum(
            [cached_levels_of(self.order[i]) for i in range(self.n_order)]
        )

    cdef Script* place(self, int32_t number) noexcept nogil:
        cdef RouteScripts* route = &self.routes[number]
        route.misses += 1
        if route.misses <= route.tolerance:
            return NULL
        if self.spare == NULL:
            self.spare = <Script*>calloc(1, sizeof(Script))
        return self.spare

    cdef void add(self, int32_t number, Script* script) noexcept nogil:
        cdef RouteScripts* route = &self.routes[number]
        cdef Script* oldest
        cdef int i, j
        self.spare = NULL
        if route.n == MAX_SCRIPTS:
            i = self.oldest(number)
            oldest = self.order[i]
            for j in range(i, self.n_order - 1):
                self.order[j] = self.order[j + 1]
            self.n_order -= 1
            for j in range(route.n):
                if route.at[j] == oldest:
                    route.n -= 1
                    route.at[j] = route.at[route.n]
                    break
            route.n_read += oldest.hits
            self.n_cached_before += cached_levels_of(oldest)
            route.tolerance = 0 if oldest.hits > HITS_FORGIVEN else min(
                2 * route.tolerance + 1, <uint32_t>MAX_TOLERANCE
            )
            oldest.n_steps = 0
            self.spare = oldest
        else:
            route.tolerance = 0
        route.misses = 0
        route.at[route.n] = script
        route.n += 1
        script.number = number
        script.next = script
        self.n_order += 1
        self.order[self.n_order - 1] = script
        self.used(self.n_order - 1)

    cdef bint merge(self, int32_t number, Script* script, uint64_t strict) noexcept nogil:
        cdef int i
        for i in range(self.n_order):
            if self.order[i].number == number and _merge(self.order[i], script, strict):
                script.n_steps = 0
                self.routes[number].misses = self.routes[number].tolerance = 0
                self.used(i)
                return True
        return False

    cdef int oldest(self, int32_t number) noexcept nogil:
        """The place in the order of a route's script that has long not been used."""
        cdef Script* script
        cdef int i
        cdef int found = -1
        for i in range(self.n_order - 1, -1, -1):
            script = self.order[i]
            if script.number != number:
                continue
            if script.hits == script.hits_before:
                return i
            script.hits_before = script.hits
            if found < 0:
                found = i
        return found

    cdef void refuse(self, int32_t number, Script* script) noexcept nogil:
        cdef RouteScripts* route = &self.routes[number]
        script.n_steps = 0
        route.misses = 0
        route.tolerance = min(route.tolerance + 1, <uint32_t>MAX_TOLERANCE)

    cdef void used(self, int index) noexcept nogil:
        cdef Script* script = self.order[index]
        cdef int i
        for i in range(index, 0, -1):
            self.order[i] = self.order[i - 1]
        self.order[0] = script
        if self.last != NULL:
            self.last.next = script
        self.last = script


cdef int64_t cached_levels_of(const Script* script) noexcept nogil:
    cdef int64_t n = 0
    cdef int i
    for i in range(script.n_places):
        n += script.places[i].levels.n_known
    return n


cdef bint _merge(Script* script, const Script* other, uint64_t strict) noexcept nogil:
    """Make one script of two whose texts differ in keys that one of them lacks.

    False where they differ in more than that, or in nothing that steps tell.
    """
    cdef Step made[MAX_SCRIPT_STEPS]
    cdef const Step* order[MAX_SCRIPT_STEPS]
    cdef const Step** held = order
    cdef const Step** held_end = order + script.n_steps
    cdef const Step* theirs = other.steps
    cdef const Step* their_end = theirs + other.n_steps
    cdef const Step* taken
    cdef bint is_new = False
    cdef bint is_both, is_held
    cdef int n = 0
    if script.n_places or other.n_places or script.n_late or other.n_late \
            or script.fills != other.fills or script.verified != other.verified \
            or script.known != other.known or script.rivals != other.rivals:
        return False
    # The lean kernel knows no optional steps; those that the stage gives rows for have another one.
    if not _has_kind(script, STEP_EMIT) or not _has_kind(other, STEP_EMIT):
        return False
    if _put_in_order(script, other, order):
        if script.n_moved == MOST_MOVED:
            return False
        script.n_moved += 1
        is_new = True
    while held < held_end or theirs < their_end:
        is_both = held < held_end and theirs < their_end and _are_same(held[0], theirs)
        is_held = is_both or (held < held_end and not (
            theirs < their_end and _is_among(held[0], theirs, their_end)
        ))
        taken = held[0] if is_held else theirs
        if n == MAX_SCRIPT_STEPS or not (
            is_both or (_may_lack(taken, strict) and n and _ends_with_quote(&made[n - 1]))
        ):
            return False
        made[n] = taken[0]
        made[n].before = made[n - 1].before | made[n - 1].gives if n else 0
        if not is_both:
            is_new = is_new or not taken.optional
            made[n].optional = True
        # A key that moves about has one step: past another one its value would be absent.
        if n and made[n].gives & made[n].before:
            return False
        # What stands behind an optional value begins with its quote.
        if n and made[n - 1].optional and made[n].literal[0] != c'"':
            return False
        n += 1
        held += is_held
        theirs += is_both or not is_held
    if is_new:
        memcpy(script.steps, made, n * sizeof(Step))
        script.n_steps = n
    return is_new


cdef bint _has_kind(const Script* script, int kind) noexcept nogil:
    cdef int i
    for i in range(script.n_steps):
        if script.steps[i].kind == kind:
            return True
    return False


cdef bint _put_in_order(Script* script, const Script* other, const Step** order) noexcept nogil:
    """Give the steps of a script, the optional ones that the other has too in its order.

    Which of two keys comes first is not known before a text has both. Whether some have moved.
    """
    cdef const Step* theirs = other.steps
    cdef const Step* held
    cdef bint has_moved = False
    cdef int i, j
    cdef int slot = 0
    for i in range(script.n_steps):
        order[i] = &script.steps[i]
    for i in range(other.n_steps):
        if _is_among(&theirs[i], theirs, &theirs[i]):
            continue    # a key that stands twice
        for j in range(script.n_steps):
            held = &script.steps[j]
            if not held.optional or not _are_same(held, &theirs[i]):
                continue
            while slot < script.n_steps and not (
                script.steps[slot].optional
                and _is_among(&script.steps[slot], theirs, theirs + other.n_steps)
            ):
                slot += 1
            if slot == script.n_steps:
                return has_moved
            order[slot] = held
            has_moved = has_moved or slot != j
            slot += 1
            break
    return has_moved


cdef bint _are_same(const Step* one, const Step* other) noexcept nogil:
    return (one.kind == other.kind or (_is_skipped(one) and _is_skipped(other))) \
        and one.n == other.n and one.gives == other.gives \
        and one.reg == other.reg and one.action == other.action and one.node == other.node \
        and one.quoted == other.quoted and one.first == other.first \
        and memcmp(one.literal, other.literal, one.n) == 0


cdef bint _is_skipped(const Step* step) noexcept nogil:
    """Whether a string is not requested."""
    return step.kind == STEP_SKIP_STRING or step.kind == STEP_SKIP_LONG


cdef bint _is_among(const Step* step, const Step* first, const Step* end) noexcept nogil:
    while first < end:
        if _are_same(step, first):
            return True
        first += 1
    return False


cdef bint _is_string(const Step* step) noexcept nogil:
    """Whether a step reads a string that is a value of the message, and that alone."""
    return step.quoted and (STEP_F64 <= step.kind <= STEP_TEXT or _is_skipped(step))


cdef bint _ends_with_quote(const Step* step) noexcept nogil:
    return _is_string(step) or step.kind == STEP_CODE


cdef bint _may_lack(const Step* step, uint64_t strict) noexcept nogil:
    """Whether a step may be one of a key that is absent: `","key":"` stands before its value."""
    cdef const uint8_t* literal = step.literal
    cdef size_t i
    if step.gives & strict or not _is_string(step) or step.n < 7 \
            or memcmp(literal, <const char*>b'","', 3) != 0 \
            or memcmp(literal + step.n - 3, <const char*>b'":"', 3) != 0:
        return False
    for i in range(3, step.n - 3):
        if literal[i] == c'"' or literal[i] == c'\\':
            return False
    return True
