"""Arrow columns as numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import pyarrow as pa


def integers(column: pa.Array, null: int) -> npt.NDArray[Any]:
    """Give the integers of a column, or its times as ns.

    Parameters
    ----------
    column
        Of integers or times.
    null
        What stands for null.
    """
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    # Where none is null, as nearly always, pyarrow's functions are not imported, which are large.
    filled = column.fill_null(null) if column.null_count else column
    values: npt.NDArray[Any] = filled.to_numpy()
    return values
