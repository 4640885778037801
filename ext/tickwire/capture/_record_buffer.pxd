"""The memory between the event loop, which records, and the thread that writes recordings."""

cimport cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum Kind:
    MESSAGE = 0      # received
    SENT = 1
    CONNECT = 2
    DISCONNECT = 3
    ACKNOWLEDGE = 4  # a subscription
    ANSWER = 5       # of REST
    DROPPED = 6      # what did not fit: how much
    BACKFILL = 7     # trades out of an answer of REST


@cython.final
cdef class RecordBuffer:
    cdef object memory             # an anonymous mmap; everything below lies in it
    cdef int64_t* published        # rows that the writer may read; the loop writes it
    cdef int64_t* released         # rows that are written; the writer writes it
    cdef uint8_t* payloads         # a ring of bytes
    cdef uint64_t n_bytes          # of `payloads`, a power of two
    cdef int64_t capacity          # rows, a power of two
    # Columns, `capacity` rows each; row n is at n & (capacity - 1).
    cdef int64_t* recv_ns          # wall clock, ns since the epoch
    cdef int64_t* mono_ns          # monotonic clock, ns
    cdef int64_t* read             # number of the read, 0 where it is none
    cdef uint64_t* begin           # of the payload: its place since the start, modulo `n_bytes`
    cdef uint32_t* size            # of the payload, bytes
    cdef int32_t* conn
    cdef int32_t* origin           # who numbers them: `Recorder`
    cdef int8_t* kind
    cdef int8_t* opcode
    # The loop's own.
    cdef int64_t next              # row
    cdef uint64_t position         # past the last payload, as `begin`
    cdef int64_t released_seen     # a copy of `released`
    cdef int64_t n_reads
    cdef int64_t pending_messages  # dropped since the last row that says so
    cdef int64_t pending_bytes
    cdef int64_t pending_recv_ns   # of the first of them
    cdef int64_t pending_mono_ns
    cdef readonly int64_t n_messages          # recorded
    cdef readonly int64_t n_message_bytes
    cdef readonly int64_t n_dropped_messages  # messages and whatever else did not fit
    cdef readonly int64_t n_dropped_bytes
    cdef public bint is_suspended  # messages are dropped

    cdef bint put(
        self,
        int kind,
        int opcode,
        int32_t conn,
        int32_t origin,
        int64_t read,
        int64_t recv_ns,
        int64_t mono_ns,
        const uint8_t* payload,
        size_t n,
    ) noexcept nogil
    cdef void publish(self) noexcept nogil
    cdef bint find_room(self, size_t n, int64_t n_rows) noexcept nogil
    cdef void place(
        self,
        int kind,
        int opcode,
        int32_t conn,
        int32_t origin,
        int64_t read,
        int64_t recv_ns,
        int64_t mono_ns,
        const uint8_t* payload,
        size_t n,
    ) noexcept nogil
    cdef bint put_drops(self) noexcept nogil
    cdef void drop(self, int64_t recv_ns, int64_t mono_ns, size_t n) noexcept nogil
    cdef object _piece(self, void* column, Py_ssize_t at, Py_ssize_t n, Py_ssize_t width)
