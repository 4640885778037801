"""The C struct of a ring, and what works on it: ring.h, open_ring.h, ring_writer.h and others."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tickwire.ring._memory cimport tw_gate, tw_mapping, tw_ring_header

cdef extern from "tickwire/ring/ring_block.h" nogil:
    enum:
        MAX_COLUMNS "TW_MAX_COLUMNS"

    enum Kind "tw_kind":
        KIND_I64 "TW_KIND_I64"
        KIND_I32 "TW_KIND_I32"
        KIND_F64 "TW_KIND_F64"
        KIND_TS "TW_KIND_TS"
        KIND_BOOL "TW_KIND_BOOL"
        KIND_CODE16 "TW_KIND_CODE16"
        KIND_CODE32 "TW_KIND_CODE32"
        KIND_TEXT "TW_KIND_TEXT"
        KIND_BINARY "TW_KIND_BINARY"

cdef extern from "tickwire/ring/dictionary.h" nogil:
    const uint64_t TW_NO_VALUES

    ctypedef struct tw_dictionary_header:
        int64_t count
        int64_t max_values
        uint64_t sums[2]

    ctypedef struct tw_dictionary:
        tw_mapping* mapping
        tw_dictionary_header* header
        int64_t* count
        int32_t* offsets
        uint8_t* data

    uint64_t tw_add_to_sum(uint64_t sum, const uint8_t* value, size_t n)

cdef extern from "tickwire/ring/ring.h" nogil:
    ctypedef struct tw_column:
        void* values
        uint8_t* arena
        int64_t arena_mask
        int64_t text_limit
        int64_t max_text
        uint8_t* valid
        const tw_dictionary* dictionary
        int32_t kind
        int32_t nullable

    ctypedef struct tw_ring:
        tw_ring_header* header
        tw_mapping* mapping
        int64_t capacity
        int64_t mask
        int64_t seq_base
        int64_t* recv_mono
        int64_t* seq
        int64_t* ts_recv
        int64_t batch_text_bytes
        int64_t window_rows
        int64_t row_bytes
        int64_t max_message_rows
        int32_t n_columns
        int32_t drops_oldest
        int64_t head
        int64_t limit
        int64_t message_start
        int64_t published
        int64_t rewind_at
        int64_t skipped
        int64_t wake_at
        int64_t wake_rows
        int64_t wake_mono
        void (*wake)(void* waker) noexcept nogil
        void* waker
        int64_t is_refused
        void (*sweep)(void* sweeper) noexcept nogil
        void* sweeper
        int64_t room_wanted
        tw_column columns[64]

    int64_t* tw_ends(const tw_column* column)
    void tw_set_limits(tw_ring* ring)

cdef extern from "tickwire/ring/open_ring.h" nogil:
    tw_ring* tw_view_ring(tw_mapping* mapping)
    tw_ring* tw_open_ring(tw_mapping* mapping, bint drops_oldest)
    void tw_close_ring(tw_ring* ring)

cdef extern from "tickwire/ring/gates.h" nogil:
    tw_gate* tw_attach_gate(tw_ring_header* header, int64_t on_lag)
    bint tw_may_drop(const tw_gate* gate, bint drops_oldest)
    void tw_detach_gate(tw_gate* gate)
    int64_t tw_next_of(const tw_gate* gate, int64_t at)

cdef extern from "tickwire/ring/watermarks.h" nogil:
    bint tw_is_held(const tw_ring* ring)
    bint tw_rewind(tw_ring* ring)
    int64_t tw_next_row(const tw_ring_header* header, const tw_gate* gate)
    int64_t tw_rows_at(const tw_ring_header* header, const int64_t* word, int shift)

cdef extern from "tickwire/ring/ring_reader.h" nogil:
    ctypedef struct tw_view:
        int64_t n_rows

    tw_view tw_look(const tw_ring* ring)
    int64_t tw_intact_from(const tw_ring* ring)
    int64_t tw_text_intact_from(const tw_ring* ring, int32_t i)
    int64_t tw_oldest_row(const tw_ring* ring, const tw_view* view)
    int64_t tw_locate(const tw_view* view, int64_t row, int64_t* stop)

cdef extern from "tickwire/ring/integrity.h" nogil:
    const char* tw_ring_fault(const tw_ring* ring)

cdef extern from "tickwire/ring/ring_text.h" nogil:
    enum TextResult "tw_text_result":
        TEXT_TOO_LONG "TW_TEXT_TOO_LONG"
        TEXT_FULL "TW_TEXT_FULL"
        TEXT_OK "TW_TEXT_OK"

    TextResult tw_put_text(tw_ring* ring, int32_t i, const uint8_t* value, size_t n)
    void tw_put_null_text(const tw_column* column, int64_t row, int64_t mask)

cdef extern from "tickwire/ring/ring_writer.h" nogil:
    bint tw_has_room(tw_ring* ring)
    bint tw_has_room_for(tw_ring* ring, int64_t n)
    void tw_rollback(tw_ring* ring, int64_t position)
    void tw_publish(tw_ring* ring)
