"""The C headers below a ring: atomic words, mappings, the block's layout."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "tickwire/base/atomics.h" nogil:
    int64_t tw_load_relaxed(const int64_t* word)
    int64_t tw_load_acquire(const int64_t* word)
    void tw_store_relaxed(int64_t* word, int64_t value)
    void tw_store_release(int64_t* word, int64_t value)
    bint tw_compare_exchange(int64_t* word, int64_t expected, int64_t desired)
    int64_t tw_add(int64_t* word, int64_t amount)
    void tw_fence()

cdef extern from "tickwire/ring/mapping.h" nogil:
    ctypedef struct tw_mapping:
        size_t n_bytes
        uint8_t* bytes

    tw_mapping* tw_mapping_new(size_t n_bytes, int file)
    tw_mapping* tw_mapping_open(size_t n_bytes, int file)
    tw_mapping* tw_mapping_retain(tw_mapping* mapping)
    void tw_mapping_release(tw_mapping* mapping)

cdef extern from "tickwire/ring/drop_log.h" nogil:
    ctypedef struct tw_drop_range:
        int64_t first_row
        int64_t last_row
        int64_t ts_first_ns
        int64_t ts_last_ns
        int64_t n_rows

    ctypedef struct tw_drop_log:
        int64_t n_rows
        int64_t n_ranges
        tw_drop_range ranges[64]

cdef extern from "tickwire/ring/ring_block.h" nogil:
    enum:
        TW_RING_VERSION
        TW_GATES
        TW_NAME_BYTES
    const char* TW_RING_MAGIC
    const int64_t TW_GATE_FREE

    ctypedef struct tw_line:
        int64_t value

    enum:
        TW_LAG_OVERFLOW
        TW_LAG_BLOCK
        TW_LAG_DROP

    ctypedef struct tw_gate:
        int64_t value
        int64_t taken
        int64_t on_lag
        int64_t n_dropped
        int64_t n_recent
        int64_t ts_first_ns
        int64_t ts_last_ns
        int64_t max_lag

    ctypedef struct tw_ring_header:
        char magic[8]
        uint32_t version
        uint32_t n_columns
        uint64_t block_bytes
        uint64_t capacity
        int64_t seq_base
        uint64_t schema_hash
        uint64_t recv_mono_offset
        uint64_t directory_offset
        tw_line cursor
        tw_line floor
        tw_line skipped
        tw_line lap
        tw_gate gates[64]
        tw_drop_log drops

    ctypedef struct tw_column_entry:
        char name[48]
        int32_t kind
        int32_t nullable
        uint64_t offset
        uint64_t valid_offset
        uint64_t arena_offset
        uint64_t arena_bytes
