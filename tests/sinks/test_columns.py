"""Columns as numpy: values, and what stands for null."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tickwire.columns import integers
from tickwire.schema import TIMESTAMP


@pytest.mark.parametrize("kind", [pa.int16(), pa.int64(), pa.timestamp("us"), TIMESTAMP])
@pytest.mark.parametrize("values", [[], [3, 1, 2], [3, None, 2], [None, None]])
def test_integers_and_times_are_given_with_a_value_for_null(
    kind: pa.DataType, values: list[int | None]
) -> None:
    column = pa.array([7, *values], kind)[1:]
    found = integers(column, -1)
    assert found.tolist() == [-1 if each is None else each for each in values]
    assert found.dtype == (np.int16 if kind == pa.int16() else np.int64)
