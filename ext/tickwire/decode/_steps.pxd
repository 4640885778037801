"""What the kernels of `steps.h` need around them: values that they leave to the fallback, and
which columns a template's values go into.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport CellOp, Bytecode, NodeOp
from tickwire.decode._read cimport Reader
from tickwire.decode._stage cimport Labels, Message, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._template cimport Known, KnownLevel, LevelCache, Step, Template
from tickwire.decode._values cimport Register

cdef extern from "tickwire/decode/row_loop.h" nogil:
    ctypedef struct Place "tw_row_loop":
        void* row_set

cdef extern from "tickwire/decode/steps.h" nogil:
    int TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS, TW_STOP_ADMIT, \
        TW_STOP_EMIT, TW_STOP_RARE

    ctypedef struct Run "tw_run":
        const Step* steps
        const Step* step
        const uint8_t* end
        Register* registers
        uint64_t* have
        int64_t row
        int64_t last
        int admitted
        const uint8_t* element
        const Labels* labels
        uint64_t absent
        const uint8_t* mark
        int64_t first_row
        LevelCache* level_cache
        const Place* place
        uint64_t kept_back
        uint64_t known
        int stop

    ctypedef const uint8_t* (*steps_function "tw_steps_fn")(
        Run* run, const uint8_t* p
    ) noexcept nogil

    ctypedef struct Kernels "tw_kernels":
        steps_function flat
        steps_function row
        steps_function many
        steps_function script
        steps_function script_slack
        steps_function script_lean
        const void* const* codes
        steps_function levels

    bint tw_has_slack(const uint8_t* end)
    void tw_choose_kernels(Kernels* kernels)

cdef extern from "tickwire/decode/symbol_cache.h" nogil:
    Known* tw_new_symbol_cache()
    void tw_free_symbol_cache(Known* known)
    void tw_learn_symbol(Known* known, const uint8_t* p, size_t n, int32_t code)

cdef extern from "tickwire/decode/level_cache.h" nogil:
    KnownLevel* tw_make_cached_levels(void** memory)
    # Whether `levels.h` can read elements of so many steps, with the one at their end.
    bint tw_are_levels(const Step* steps, int n)
    bint tw_learn_level_cache(
        LevelCache* level_cache, const Step* steps, int n, KnownLevel* known, uint64_t stamp
    )

cdef enum:
    N_DICTIONARIES = 4


@cython.final
cdef class Steps:
    cdef Bytecode program
    cdef Stage stage
    cdef Targets targets
    cdef Reader reader
    cdef Message* message       # the stage's
    cdef Known* known[N_DICTIONARIES]   # by DictionaryName; NULL before the first string
    cdef KnownLevel* cached_levels       # NULL before the first template of levels
    cdef void* cached_levels_memory
    cdef uint64_t stamp                 # of the last template of levels that was learned

    # The value that a kernel has stopped at: behind it; NULL where its text does not fit, with
    # `message.outcome` set if it is wrong.
    cdef const uint8_t* help(self, Step* step, int stop, const uint8_t* p) noexcept nogil
    # The same of a row's value, which goes into the row; NULL also where there is none.
    cdef const uint8_t* help_row(self, Step* step, int stop, const uint8_t* p, int64_t row) \
        noexcept nogil
    cdef bint store_escaped(self, Step* step, int64_t row) noexcept nogil
    # See whether a template that has just been learned is direct.
    cdef void bind(self, Template* template, NodeOp* node) noexcept nogil

    cdef bint is_direct(self, Template* template, NodeOp* node) noexcept nogil
    # Of n steps that are levels: what joins them; False where that is too long.
    cdef bint learn_levels(self, LevelCache* level_cache, Step* steps, int n) noexcept nogil
    cdef bint place(self, Template* template, CellOp* cell) noexcept nogil
    cdef const uint8_t* code(self, Step* step, const uint8_t* p) noexcept nogil
    cdef const uint8_t* by_rule(self, Step* step, const uint8_t* p) noexcept nogil

# How a value of a schema.Kind goes into its column.
cdef int kind_of_store(int kind) noexcept nogil
