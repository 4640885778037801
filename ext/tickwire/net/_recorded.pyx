"""A handler whose messages are recorded: each as it came, once the handler has taken it.

Without a recording no such handler exists, so that nothing is looked at per message. A message that
meets backpressure is offered again, and is recorded when it is taken, with the times of its read.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from tickwire.capture._record_buffer cimport Kind, RecordBuffer
from tickwire.wire._handler cimport Handler, Verdict


@cython.final
cdef class RecordedHandler(Handler):
    """A handler in front of another one.

    Parameters
    ----------
    inner
        Takes the messages.
    buffer
        Where they are recorded.
    conn
        The number of their connection.
    origin
        That of its source and endpoint.
    """

    def __init__(self, inner: Handler, buffer: RecordBuffer, conn: int, origin: int):
        self.inner = inner
        self.buffer = buffer
        self.conn = conn
        self.origin = origin

    cdef void begin_read(self, int64_t ts_recv_ns, int64_t mono_ns) noexcept nogil:
        self.ts_recv_ns = ts_recv_ns
        self.mono_ns = mono_ns
        self.buffer.n_reads += 1
        self.inner.begin_read(ts_recv_ns, mono_ns)

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        """Hand a message on, and record it where it is taken.

        Shape    n bytes at `payload`, borrowed for this call.
        Units    bytes.
        Returns  what the handler answers.
        Threads  the loop's alone.
        Memory   none allocated; one copy.
        Source   docs/recording.md.
        """
        cdef int verdict = self.inner.on_message(opcode, payload, n)
        if verdict != Verdict.BLOCKED:
            self.buffer.put(
                Kind.MESSAGE, opcode, self.conn, self.origin, self.buffer.n_reads,
                self.ts_recv_ns, self.mono_ns, payload, n,
            )
        return verdict

    cdef void end_read(self) noexcept nogil:
        self.inner.end_read()
        self.has_events = self.inner.has_events
        self.n_written_bytes += self.inner.n_written_bytes
        self.inner.n_written_bytes = 0
        self.buffer.publish()

    def wait_for_room(self, callback):
        """Have the handler tell of room; see `Handler`."""
        return self.inner.wait_for_room(callback)

    def forget_room(self, callback):
        """Take back what `wait_for_room` asked for."""
        self.inner.forget_room(callback)
