"""Rows from Python values: for tables that the feed writes itself, and for tests."""

from libc.math cimport NAN
from libc.stdint cimport INT32_MIN, INT64_MIN, int16_t, int32_t, int64_t, uint8_t

from tickwire.ring._tw_ring cimport (
    KIND_BOOL,
    KIND_CODE16,
    KIND_CODE32,
    KIND_F64,
    KIND_I32,
    KIND_I64,
    KIND_TS,
    TEXT_OK,
    TEXT_TOO_LONG,
    TextResult,
    tw_column,
    tw_has_room,
    tw_put_null_text,
    tw_put_text,
    tw_ring,
)

from tickwire.clock import mono_ns, wall_ns


cdef bint stage_row(tw_ring* ring, object table, list dictionaries, dict values) except -1:
    if not tw_has_room(ring):
        return False
    mono = values.pop("recv_mono", None)
    ring.recv_mono[ring.head & ring.mask] = mono_ns() if mono is None else mono
    if ring.ts_recv != NULL and values.get("ts_recv") is None:
        values["ts_recv"] = wall_ns()
    cdef int i
    for i, column in enumerate(table.columns):
        if column.name == "seq":
            continue
        value = values.pop(column.name, None)
        if value is None and not column.nullable:
            raise ValueError(f"column {column.name} of {table.name} is not nullable")
        if dictionaries[i] is not None:
            value = -1 if value is None else dictionaries[i].code(value)
        if not put_value(ring, i, value, f"column {column.name} of {table.name}"):
            return False
    if values:
        raise TypeError(f"{table.name} has no column to fill called {min(values)}")
    ring.head += 1
    return True


cdef bint put_value(tw_ring* ring, int i, object value, str name) except -1:
    # One value of row `head`, of codes the code; False: no room for its text.
    cdef tw_column* column = &ring.columns[i]
    cdef int64_t slot = ring.head & ring.mask
    if column.kind == KIND_I64 or column.kind == KIND_TS:
        (<int64_t*> column.values)[slot] = INT64_MIN if value is None else value
    elif column.kind == KIND_I32:
        (<int32_t*> column.values)[slot] = INT32_MIN if value is None else value
    elif column.kind == KIND_F64:
        (<double*> column.values)[slot] = NAN if value is None else value
    elif column.kind == KIND_BOOL:
        (<uint8_t*> column.values)[slot] = 2 if value is None else bool(value)
    elif column.kind == KIND_CODE16:
        (<int16_t*> column.values)[slot] = value
    elif column.kind == KIND_CODE32:
        (<int32_t*> column.values)[slot] = value
    elif value is None:
        tw_put_null_text(column, ring.head, ring.mask)
    else:
        text = value.encode() if isinstance(value, str) else bytes(value)
        return put_bytes(ring, i, text, name)
    return True


cdef bint put_bytes(tw_ring* ring, int i, bytes text, str name) except -1:
    cdef TextResult result = tw_put_text(ring, i, <const uint8_t*> text, len(text))
    if result == TEXT_TOO_LONG:
        raise ValueError(
            f"{name} takes at most {ring.columns[i].max_text} bytes of rows published together; "
            f"the row's {len(text)} are too many"
        )
    return result == TEXT_OK
