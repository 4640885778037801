"""The base of all handlers; see the declaration."""

from libc.stdint cimport int64_t, uint8_t


cdef class Handler:
    cdef void begin_read(self, int64_t ts_recv_ns, int64_t mono_ns) noexcept nogil:
        self.ts_recv_ns = ts_recv_ns
        self.mono_ns = mono_ns

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        return Verdict.TAKEN

    cdef void end_read(self) noexcept nogil:
        pass

    def wait_for_room(self, callback):
        """Have `callback` called once there may be room for the message that was BLOCKED.

        Parameters
        ----------
        callback
            Called without arguments, from any thread; must be short.

        Returns
        -------
        bool
            Whether something new is waited for: then offer the message once more, since room may
            have been made before. False here: this handler tells of no room.
        """
        return False

    def forget_room(self, callback):
        """Take back what `wait_for_room` asked for."""
