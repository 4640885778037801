"""The scripts of a source's routes; what they are is explained in the declaration."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free

from tickwire.decode._bytecode cimport Bytecode


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
