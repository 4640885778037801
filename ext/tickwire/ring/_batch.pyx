"""A batch of rows that costs little to make, and a view of one of its rows.

Rules of this file
------------------
- A batch is the memory that `copy_extent` fills and nothing else: no object per column. What is
  asked for is made then: a column's numpy array, the value of a row, the pyarrow.RecordBatch.
- Memory is kept by what looks at it: arrays and rows keep the batch. It is never written again.
- The RecordBatch is one more owner of the rows: where there is no memory to make it, the batch is
  as it was.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject, PyObject_GenericGetAttr
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.ring._dictionary cimport Values as DictionaryValues
from tickwire.ring._export cimport ColumnData, Rows, export_rows, free_rows, import_batch
from tickwire.ring._tw_ring cimport (
    KIND_BINARY,
    KIND_BOOL,
    KIND_CODE16,
    KIND_CODE32,
    KIND_F64,
    KIND_I32,
    KIND_TEXT,
    KIND_TS,
    tw_ring,
)

import numpy as np

cdef object frombuffer = np.frombuffer
cdef object float64 = np.dtype(np.float64)
cdef object int64 = np.dtype(np.int64)
cdef object int32 = np.dtype(np.int32)
cdef object int16 = np.dtype(np.int16)
cdef object datetime64 = np.dtype("datetime64[ns]")


cdef class Layout:
    """The columns of a ring, for batches and rows."""

    cdef object string_of(self, int place, int64_t code):
        # The same str for the same code.
        cdef list strings = <list> self.strings[place]
        cdef DictionaryValues dictionary
        if code < len(strings):
            return strings[code]
        dictionary = self.dictionaries[place]
        for each in range(len(strings), code + 1):
            strings.append(dictionary.value(each))
        return strings[code]

    cdef object cell(self, const ColumnData* column, int place, int64_t row):
        # The value of one row: int ns for a time, None for null.
        cdef const void* values = column.buffers[1]
        cdef const uint8_t* valid = <const uint8_t*> column.buffers[0]
        cdef const int32_t* offsets
        cdef int kind = self.form.kinds[place]
        cdef int64_t code
        if kind == KIND_CODE16 or kind == KIND_CODE32:
            # A code of -1 is a null.
            if kind == KIND_CODE16:
                code = (<const int16_t*> values)[row]
            else:
                code = (<const int32_t*> values)[row]
            return None if code < 0 else self.string_of(place, code)
        if valid != NULL and not valid[row >> 3] >> (row & 7) & 1:
            return None
        if kind == KIND_F64:
            return (<const double*> values)[row]
        if kind == KIND_I32:
            return (<const int32_t*> values)[row]
        if kind == KIND_BOOL:
            return (<const uint8_t*> values)[row >> 3] >> (row & 7) & 1 != 0
        if kind == KIND_TEXT or kind == KIND_BINARY:
            offsets = <const int32_t*> values
            text = <const char*> column.buffers[2] + offsets[row]
            size = offsets[row + 1] - offsets[row]
            if kind == KIND_TEXT:
                return PyUnicode_DecodeUTF8(text, size, "replace")
            return PyBytes_FromStringAndSize(text, size)
        return (<const int64_t*> values)[row]


cdef Layout make_layout(const tw_ring* ring, object table, list dictionaries):
    cdef Layout layout = Layout.__new__(Layout)
    cdef int place
    layout.schema = table.arrow_schema
    layout.table = table.name
    layout.form.n_columns = ring.n_columns
    layout.names = tuple([column.name for column in table.columns])
    layout.places = {name: place for place, name in enumerate(layout.names)}
    layout.dictionaries = dictionaries
    layout.strings = [[] for _ in layout.names]
    for place in range(ring.n_columns):
        layout.form.kinds[place] = ring.columns[place].kind
        layout.form.dictionaries[place] = ring.columns[place].dictionary
    return layout


@cython.final
cdef class Values:
    """The memory of a column, for numpy; it keeps the batch."""

    cdef Batch batch
    cdef const void* memory
    cdef Py_ssize_t n_bytes

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = <void*> self.memory
        buffer.obj = self
        buffer.len = self.n_bytes
        buffer.itemsize = 1
        buffer.readonly = 0  # numpy asks for that first; the array is made read-only
        buffer.ndim = 1
        buffer.format = NULL
        buffer.shape = &self.n_bytes
        buffer.strides = NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL


@cython.no_gc          # nothing that it refers to refers back
@cython.freelist(16)
cdef class Batch:
    """Rows of a table as columns; what `feed.batches(table, form="light")` gives.

    Its columns are numpy arrays, made when they are asked for: `batch["price"]`. A program that
    wants Arrow's own object calls `to_arrow`; whatever speaks the Arrow PyCapsule interface, such
    as `pyarrow.record_batch`, polars and DuckDB, takes the batch as it is.

    Attributes
    ----------
    num_rows : int
        At least 1.
    """

    def __init__(self):
        raise TypeError("batches come from a feed")

    def __dealloc__(self):
        if self.data != NULL:
            free_rows(self.data)

    def __len__(self):
        return self.num_rows

    def __repr__(self):
        return f"<Batch of {self.layout.table}: {self.num_rows} x {self.num_columns}>"

    cdef int place_of(self, object key) except -1:
        if self.data == NULL:
            raise ValueError("the batch has no rows: it is none of a feed's")
        if isinstance(key, str):
            place = self.layout.places.get(key)
            if place is None:
                raise KeyError(f"no column {key!r}: one of {', '.join(self.layout.names)}")
            return place
        if not -self.layout.form.n_columns <= key < self.layout.form.n_columns:
            raise IndexError(f"no column {key}: there are {self.layout.form.n_columns}")
        return key % self.layout.form.n_columns

    def __getitem__(self, key):
        """Give a column, by its name or place.

        Returns
        -------
        numpy.ndarray
            shape (num_rows,), read-only. Numbers and times are a view, valid as long as it lives:
            float64 with NaN for null, int64, int32, datetime64[ns] with NaT for null; integers
            with a null are a float64 copy with NaN. Strings, bytes and nullable bools are objects,
            None for null.
        """
        cdef int place = self.place_of(key)
        cdef int kind = self.layout.form.kinds[place]
        cdef const ColumnData* column = &self.data.columns[place]
        if kind == KIND_BOOL and column.buffers[0] == NULL:
            return np.array([self.layout.cell(column, place, row) for row in self.rows()], np.bool_)
        if kind in (KIND_CODE16, KIND_CODE32, KIND_TEXT, KIND_BINARY, KIND_BOOL):
            made = np.empty(self.num_rows, object)
            made[:] = [self.layout.cell(column, place, row) for row in self.rows()]
            return made
        if kind not in (KIND_F64, KIND_TS) and column.buffers[0] != NULL:
            cells = [self.layout.cell(column, place, row) for row in self.rows()]
            return np.array(cells, float64)
        dtype = float64 if kind == KIND_F64 else datetime64 if kind == KIND_TS else (
            int32 if kind == KIND_I32 else int64
        )
        return self.view(column, dtype)

    column = __getitem__

    def to_pylist(self, key):
        """Give a column as Python's own values, which is the quickest where there are few rows.

        Returns
        -------
        list
            One value per row, as a `Row` has it: float, int (times too, ns since the epoch), str,
            bool, bytes, or None for null.
        """
        cdef int place = self.place_of(key)
        cdef const ColumnData* column = &self.data.columns[place]
        cdef int64_t row
        cdef list values = []
        for row in range(self.first, self.first + self.num_rows):
            values.append(self.layout.cell(column, place, row))
        return values

    cdef object rows(self):
        # Of the arrays.
        return range(self.first, self.first + self.num_rows)

    cdef object view(self, const ColumnData* column, object dtype):
        cdef Values values = Values.__new__(Values)
        cdef Py_ssize_t size = dtype.itemsize
        values.batch = self
        values.memory = <const char*> column.buffers[1] + self.first * size
        values.n_bytes = self.num_rows * size
        array_view = frombuffer(values, dtype)
        array_view.setflags(write=False)
        return array_view

    def codes(self, key):
        """Give the codes of a column of strings, without a copy: -1 for null.

        Returns
        -------
        numpy.ndarray
            shape (num_rows,), int32 or int16; equal codes are equal strings, in every batch of the
            feed.
        """
        cdef int place = self.place_of(key)
        cdef int kind = self.layout.form.kinds[place]
        if kind != KIND_CODE16 and kind != KIND_CODE32:
            raise TypeError(f"column {key!r} has no codes")
        return self.view(&self.data.columns[place], int32 if kind == KIND_CODE32 else int16)

    @property
    def schema(self):
        """The pyarrow.Schema of `to_arrow`."""
        return self.layout.schema

    @property
    def column_names(self):
        """The names of the columns, in order."""
        return list(self.layout.names)

    @property
    def num_columns(self):
        """How many columns there are."""
        return self.layout.form.n_columns

    def to_arrow(self):
        """Give the rows as Arrow's own object, without a copy; the same one each time.

        Returns
        -------
        pyarrow.RecordBatch
            What `feed.batches(table)` gives.
        """
        if self.arrow is None:
            self.place_of(0)
            array = export_rows(self.data, &self.layout.form, NULL)
            if array == NULL:
                raise MemoryError("no memory for a record batch")
            arrow = import_batch(array, self.layout.schema)
            self.arrow = arrow.slice(self.first) if self.first else arrow
        return self.arrow

    def __arrow_c_array__(self, requested_schema=None):
        """Export to whatever speaks the Arrow PyCapsule interface."""
        return self.to_arrow().__arrow_c_array__(requested_schema)

    def __arrow_c_stream__(self, requested_schema=None):
        """The same as a stream of one batch."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self):
        """Export the schema alone."""
        return self.layout.schema.__arrow_c_schema__()


cdef Batch make_batch(Layout layout, Rows* data, int64_t n_dropped):
    cdef Batch batch = Batch.__new__(Batch)
    batch.layout = layout
    batch.data = data
    batch.first = n_dropped
    batch.num_rows = data.n_rows - n_dropped
    return batch


cdef class Row:
    """One row of a table; its columns are attributes, and items by name or place.

    A feed gives the same object for every row: what it shows is that row until the next one is
    taken. `copy` gives one that stays. A value is made when it is read: a float, an int (times are
    int, ns since the epoch), a str, a bool, bytes, or None for null.
    """

    def __init__(self):
        raise TypeError("rows come from a feed")

    cdef void begin(self, Batch batch) noexcept:
        self.batch = batch
        self.at = batch.first
        self.stop = batch.first + batch.num_rows

    cpdef bint advance(self) noexcept:
        """Go to the next row of the batch; False where this is its last."""
        if self.at + 1 >= self.stop:
            return False
        self.at += 1
        return True

    cpdef void end(self) noexcept:
        """Show no row any more."""
        self.batch = None
        self.at = self.stop = 0

    def __getattribute__(self, str name):
        if self.batch is None:
            return PyObject_GenericGetAttr(self, name)
        cdef PyObject* place = PyDict_GetItem(self.layout.places, name)
        if place == NULL:
            return PyObject_GenericGetAttr(self, name)
        cdef int found = <int> <object> place
        return self.layout.cell(&self.batch.data.columns[found], found, self.at)

    def __getitem__(self, key):
        if self.batch is None:
            raise ValueError("there is no row any more")
        cdef int place = self.batch.place_of(key)
        return self.layout.cell(&self.batch.data.columns[place], place, self.at)

    def __iter__(self):
        return iter([self[place] for place in range(len(self))])

    def __len__(self):
        return 0 if self.layout is None else self.layout.form.n_columns

    def __dir__(self):
        return [*self._fields, "copy", "_asdict", "_fields"]

    @property
    def _fields(self):
        """The names of the columns, in order."""
        return () if self.layout is None else self.layout.names

    @property
    def n_left(self):
        """Rows of its batch behind it."""
        return max(self.stop - self.at - 1, 0)

    def _asdict(self):
        """Give the row as a dict: column's name to value."""
        return dict(zip(self._fields, self, strict=True))

    def copy(self):
        """Give a row that stays as it is; it keeps the memory of the batch that it lies in."""
        cdef Row row = make_row(self.layout)
        row.batch = self.batch
        row.at = self.at
        row.stop = self.stop
        return row

    def __repr__(self):
        if self.batch is None:
            return "<Row: none>"
        values = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"<Row of {self.layout.table}: {values}>"


cdef Row make_row(Layout layout):
    cdef Row row = Row.__new__(Row)
    row.layout = layout
    return row
