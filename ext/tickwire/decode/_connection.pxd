"""What a source's decoder knows of one of its connections."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from tickwire.decode._numbers cimport Numbers
from tickwire.decode._stage cimport Labels, Sender
from tickwire.wire._handler cimport Handler


cdef class Connection(Handler):
    cdef readonly int32_t conn
    cdef readonly int64_t first_message_ns  # ts_recv of the first data message, 0 before it
    cdef readonly int64_t last_message_ns   # and of the last
    # Where the venue counts a connection's messages: the last number, and messages since without.
    cdef bint is_counted
    cdef int64_t count
    cdef int64_t n_uncounted
    # Set by who has reported its end: rows that came before it may be decoded later, but nothing of
    # it begins a book any more.
    cdef public bint has_ended
    cdef Labels labels
    cdef Numbers numbers                    # of symbols, where acknowledgements name them
    cdef Sender sender                      # of its messages; points at labels and numbers
    cdef list events                        # (kind, payload), for the session

    cdef inline void note_message(self) noexcept nogil:
        # When data flowed: a gap lasts from the last message before it to the first after.
        if self.first_message_ns == 0:
            self.first_message_ns = self.ts_recv_ns
        self.last_message_ns = self.ts_recv_ns

    # A message for the session.
    cdef int add_event(self, object kind, const uint8_t* payload, size_t n) except -1
