"""Rows from Python values: for tables that the feed writes itself, and for tests."""

from libc.math cimport NAN
from libc.stdint cimport INT32_MIN, INT64_MIN, int16_t, int32_t, int64_t, uint8_t

from tickwire.ring._ring cimport (
    KIND_BOOL,
    KIND_CODE16,
    KIND_CODE32,
    KIND_F64,
    KIND_I32,
    KIND_I64,
    KIND_TS,
    TEXT_OK,
    TEXT_TOO_LONG,
    Ring,
    TextResult,
)

from tickwire.clock import mono_ns, wall_ns


cdef bint stage_row(Ring ring, dict values) except -1:
    if not ring.has_room():
        return False
    mono = values.pop("recv_mono", None)
    ring.recv_mono[ring.head_at & ring.mask] = mono_ns() if mono is None else mono
    if ring.ts_recv != NULL and values.get("ts_recv") is None:
        values["ts_recv"] = wall_ns()
    cdef int i
    for i, column in enumerate(ring.table.columns):
        if column.name == "seq":
            continue
        if not put_value(ring, i, column, values.pop(column.name, None)):
            return False
    if values:
        raise TypeError(f"{ring.table.name} has no column to fill called {min(values)}")
    ring.head_at += 1
    return True


cdef bint put_value(Ring ring, int i, object column, object value) except -1:
    # One value of row `head_at`; False: no room for its text.
    cdef int64_t slot = ring.head_at & ring.mask
    cdef int kind = ring.kinds[i]
    if value is None and not column.nullable:
        raise ValueError(f"column {column.name} of {ring.table.name} is not nullable")
    if kind == KIND_I64 or kind == KIND_TS:
        (<int64_t*> ring.columns[i])[slot] = INT64_MIN if value is None else value
    elif kind == KIND_I32:
        (<int32_t*> ring.columns[i])[slot] = INT32_MIN if value is None else value
    elif kind == KIND_F64:
        (<double*> ring.columns[i])[slot] = NAN if value is None else value
    elif kind == KIND_BOOL:
        (<uint8_t*> ring.columns[i])[slot] = 2 if value is None else bool(value)
    elif kind == KIND_CODE16:
        (<int16_t*> ring.columns[i])[slot] = code_of(ring, i, value)
    elif kind == KIND_CODE32:
        (<int32_t*> ring.columns[i])[slot] = code_of(ring, i, value)
    elif value is None:
        ring.put_null(i)
    else:
        return put_bytes(ring, i, value.encode() if isinstance(value, str) else bytes(value))
    return True


cdef int32_t code_of(Ring ring, int i, object value) except? -1:
    return -1 if value is None else ring.code_dictionaries[i].code(value)


cdef bint put_bytes(Ring ring, int i, bytes text) except -1:
    cdef TextResult result = ring.put_text(i, <const uint8_t*> text, len(text))
    if result == TEXT_TOO_LONG:
        name = ring.table.columns[i].name
        raise ValueError(
            f"column {name} of {ring.table.name} takes at most {ring.max_text_bytes(name)} bytes "
            f"of rows published together; the row's {len(text)} are too many"
        )
    return result == TEXT_OK
