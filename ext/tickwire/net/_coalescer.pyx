"""Rests between reads, so that one read brings what would have been several.

Rules of this file
------------------
- After a small read the socket rests: SO_RCVLOWAT makes it readable only from LOW_WATER_BYTES on,
  so a flood wakes the loop at once, as an end or an error does. Everything that reads the socket
  stays as it is: any carrier, any loop, with or without TLS.
- One timer for all connections of a loop that rest as long: who rests while it runs joins it, and
  so rests shorter, never longer. Its cost follows the reads, not the connections.
- When it is due, a plain connection of the carrier `protocol` is read here at once (`read_direct`);
  of any other the socket is made readable again.
- A rest pays where it brings something. `hits` is how often a read would have been, or was,
  followed by bytes within a rest; below a quarter the connection does not rest.
"""

cimport cython
from libc.stdint cimport int64_t

from tickwire.net._direct cimport Direct, DirectReader

from weakref import WeakKeyDictionary

cdef extern from "tickwire/base/clock.h":
    int64_t tw_mono_ns() noexcept nogil

cdef extern from "tickwire/net/rest_timer.h":
    int tw_timer_open() noexcept nogil
    int tw_timer_set(int fd, int64_t after_ns) noexcept nogil
    int tw_set_low_water(int fd, int n_bytes) noexcept nogil
    int tw_unread(int fd) noexcept nogil

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    LOW_WATER_BYTES = 65_536  # also what a read must bring to be no small one
    ALL_HITS = 256
    FEWEST_HITS = 64
    SMOOTHING = 8
    # `auto`: so many messages a read, in rests of powers of two of the shortest.
    MESSAGES_A_READ = 5
    SHORTEST_NS = 125_000
    LONGEST_NS = 4_000_000
    WINDOW_NS = 100_000_000

_TIMERS = WeakKeyDictionary()  # by loop, then by ns


@cython.final
cdef class RestTimer:
    """Ends the rests of connections of one loop; get it by `timer_of`."""

    def __cinit__(self):
        self.fd = -1

    def __init__(self, loop, int64_t rest_ns):
        self.loop = loop
        self.rest_ns = rest_ns
        self.resting = []

    cdef int use(self) except -1:
        """Keep it open for one more."""
        if self.n_users == 0:
            self.fd = tw_timer_open()
            if self.fd >= 0:
                self.loop.add_reader(self.fd, self.due)
        self.n_users += 1
        return 0

    cdef int release(self) except -1:
        """Close it with its last user."""
        self.n_users -= 1
        if self.n_users:
            return 0
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
        if self.fd >= 0:
            if not self.loop.is_closed():
                self.loop.remove_reader(self.fd)
            close(self.fd)
            self.fd = -1
        timers = _TIMERS.get(self.loop)
        if timers is not None and timers.get(self.rest_ns) is self:
            del timers[self.rest_ns]
            if not timers:  # it would keep the loop
                del _TIMERS[self.loop]
        self.is_armed = False
        self.resting = []
        return 0

    cdef int add(self, Coalescer coalescer) except -1:
        """Let a coalescer rest until it is due next."""
        self.resting.append(coalescer)
        if not self.is_armed:
            self.arm()
        return 0

    cdef int arm(self) except -1:
        self.is_armed = True
        if self.fd < 0 or tw_timer_set(self.fd, self.rest_ns) != 0:
            self.handle = self.loop.call_later(<double>self.rest_ns / 1e9, self.due)
        return 0

    def due(self):
        """End all rests; the loop calls it."""
        cdef Coalescer coalescer
        cdef list resting = self.resting
        self.resting = []
        resting.reverse()
        self.is_armed = True  # who rests anew meanwhile must not arm it for each
        try:
            while resting:
                coalescer = resting.pop()
                coalescer.is_listed = False
                if coalescer.is_resting:
                    coalescer.wake()
        finally:
            self.is_armed = False
            self.resting += resting  # where one has failed
            if self.resting:
                self.arm()
            elif self.fd >= 0:
                tw_timer_set(self.fd, 0)


cdef RestTimer timer_of(object loop, int64_t rest_ns):
    cdef dict timers = _TIMERS.setdefault(loop, {})
    timer = timers.get(rest_ns)
    if timer is None:
        timer = timers[rest_ns] = RestTimer(loop, rest_ns)
    return timer


@cython.final
cdef class Coalescer:
    """Decides after each read of a connection whether its socket rests.

    Parameters
    ----------
    loop
        The event loop.
    transport
        Owns the socket.
    rest_us
        How long a rest is; None: chosen by how many messages come.
    reader
        Reads the socket beside its transport, where that can be.
    rests
        Gets how long each rest was that brought something.
    """

    def __init__(self, loop, transport, rest_us=None, reader=None, rests=None):
        self.loop = loop
        self.transport = transport
        self.reader = reader if isinstance(reader, DirectReader) else None
        self.fd = transport.get_extra_info("socket").fileno()
        self.rests = rests
        self.is_auto = rest_us is None
        if rest_us is not None:
            self.timer = timer_of(loop, <int64_t>rest_us * 1000)
            self.timer.use()

    def end(self):
        """Rest no more."""
        self.is_resting = False
        if self.transport is not None:
            self.set_high(False)
        self.transport = self.reader = None
        if self.timer is not None:
            self.timer.release()
            self.timer = None

    @property
    def rest_us(self):
        """How long a rest is now, us; 0 while there is none."""
        if self.timer is None or self.hits < FEWEST_HITS:
            return 0
        return self.timer.rest_ns // 1000

    cdef int after_read(self, Py_ssize_t n_bytes, int64_t mono_ns, int64_t n_messages) except -1:
        """Begin a rest where it pays.

        Shape    one read of n_bytes, parsed.
        Units    mono_ns: when it was; n_messages: of the connection so far.
        Returns  0.
        Threads  the loop's thread only.
        Memory   none kept.
        Source   docs/performance.md, "Rests between reads".
        """
        cdef int64_t elapsed_ns = mono_ns - self.last_ns
        self.last_ns = mono_ns
        if self.is_auto:
            self.choose(mono_ns, n_messages)
        if self.transport is None or self.timer is None:
            return 0
        if self.is_resting:  # a flood, or the end of the rest
            self.is_resting = False
            if self.rests is not None:
                self.rests.record(elapsed_ns, 1)
        elif not self.is_high:
            self.learn(elapsed_ns <= self.timer.rest_ns)
        if n_bytes >= LOW_WATER_BYTES or self.hits < FEWEST_HITS:
            return self.set_high(False)
        self.set_high(True)
        self.is_resting = True
        if not self.is_listed:
            self.is_listed = True
            self.timer.add(self)
        return 0

    cdef int pause(self) except -1:
        """Rest no more until the next read: under backpressure."""
        self.is_resting = False
        return 0 if self.transport is None else self.set_high(False)

    cdef int wake(self) except -1:
        """Read, or let the loop read, what came during the rest."""
        cdef int got
        if self.transport is None or self.transport.is_closing():
            self.is_resting = False
            return 0
        got = Direct.LEAVE if self.reader is None else self.reader.read_direct()
        if got == Direct.SOME:
            self.learn(True)
            return 0
        if self.transport is None:  # it ended in the read
            return 0
        # What waits is read at once, and ends the rest.
        self.is_resting = got == Direct.LEAVE and tw_unread(self.fd) > 0
        self.learn(self.is_resting)
        return self.set_high(False)

    cdef int set_high(self, bint is_high) except -1:
        if is_high != self.is_high and not self.transport.is_closing():
            self.is_high = is_high
            tw_set_low_water(self.fd, LOW_WATER_BYTES if is_high else 1)
        return 0

    cdef void learn(self, bint is_hit) noexcept:
        self.hits += ((ALL_HITS if is_hit else 0) - self.hits) // SMOOTHING

    cdef int choose(self, int64_t mono_ns, int64_t n_messages) except -1:
        """Choose the rest anew, by the messages of the last moment."""
        cdef int64_t lasted_ns = mono_ns - self.window_ns
        cdef int64_t rest_ns = SHORTEST_NS
        cdef int64_t wanted_ns
        if lasted_ns < WINDOW_NS or self.is_listed or self.transport is None:
            return 0
        n_new = n_messages - self.n_window
        self.window_ns = mono_ns
        self.n_window = n_messages
        wanted_ns = MESSAGES_A_READ * lasted_ns // max(<int64_t>n_new, 1)
        while rest_ns < LONGEST_NS and rest_ns < wanted_ns:
            rest_ns *= 2
        if self.timer is not None and self.timer.rest_ns == rest_ns:
            return 0
        if self.timer is not None:
            self.timer.release()
        self.timer = timer_of(self.loop, rest_ns)
        self.timer.use()
        return 0
