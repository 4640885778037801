"""The C interface of zlib and zlib-ng, without their headers; the implementation says why."""

from libc.stdint cimport uint8_t, uint32_t

# From zlib.h, whose ABI has not changed since 1.2, and zlib-ng.h, 2. `inflateInit2_` and
# `deflateInit2_` compare the size of the stream with their own and refuse what differs.
cdef enum:
    Z_NO_FLUSH = 0
    Z_SYNC_FLUSH = 2
    Z_OK = 0
    Z_STREAM_END = 1
    Z_MEM_ERROR = -4
    Z_BUF_ERROR = -5
    Z_DEFLATED = 8
    Z_DEFAULT_STRATEGY = 0
    # Bits of `z_stream.data_type` after `inflate`.
    Z_UNUSED_BITS = 63
    Z_BETWEEN_BLOCKS = 128


cdef struct z_stream:
    const uint8_t* next_in
    unsigned int avail_in
    unsigned long total_in
    uint8_t* next_out
    unsigned int avail_out
    unsigned long total_out
    const char* msg
    void* state
    void* zalloc      # NULL, as the two after it: zlib then uses malloc and free
    void* zfree
    void* opaque
    int data_type
    unsigned long adler
    unsigned long reserved


# zlib-ng's own, only for its size: what we read and write lies where it does in `z_stream`.
cdef struct zng_stream:
    const uint8_t* next_in
    uint32_t avail_in
    size_t total_in
    uint8_t* next_out
    uint32_t avail_out
    size_t total_out
    const char* msg
    void* state
    void* zalloc
    void* zfree
    void* opaque
    int data_type
    uint32_t adler
    unsigned long reserved


ctypedef int (*stream_call)(z_stream* stream) noexcept nogil
ctypedef int (*flush_call)(z_stream* stream, int flush) noexcept nogil
ctypedef int (*inflate_init_call)(
    z_stream* stream, int window_bits, const char* version, int stream_size
) noexcept nogil
ctypedef int (*deflate_init_call)(
    z_stream* stream,
    int level,
    int method,
    int window_bits,
    int mem_level,
    int strategy,
    const char* version,
    int stream_size,
) noexcept nogil


cdef struct Zlib:
    const char* version             # the library's own, for the two calls that ask for it
    int stream_bytes
    inflate_init_call inflate_init
    flush_call inflate
    stream_call inflate_reset       # forgets the window
    stream_call inflate_reset_keep  # keeps it
    stream_call inflate_end
    deflate_init_call deflate_init
    flush_call deflate
    stream_call deflate_reset
    stream_call deflate_end


cdef const Zlib* load_zlib() except NULL
