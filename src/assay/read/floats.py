"""NaN and infinite numbers in a column, asked of NumPy.

Polars takes 70 to 110 microseconds for such a question, however short the column is; NumPy
takes a tenth of that, which is a minute of 100,000 columns.
"""

import numpy as np
import polars as pl


def without_nan(series: pl.Series) -> pl.Series:
    """Return a series with NaN as null, itself where there is none.

    Args:
        series: Shape (N,), any dtype.

    Example:
        >>> without_nan(pl.Series([1.5, float("nan"), None])).to_list()
        [1.5, None, None]
    """
    if not series.dtype.is_float():
        return series
    # What is null in the series is NaN in the array.
    n_nan = np.count_nonzero(np.isnan(series.to_numpy()))
    return series if n_nan == series.null_count() else series.fill_nan(None)


def count_infinite(series: pl.Series) -> int:
    """Count the infinite numbers of a float series, shape (N,).

    Example:
        >>> count_infinite(pl.Series([1.5, float("-inf"), None]))
        1
    """
    return int(np.count_nonzero(np.isinf(series.to_numpy())))


def are_whole(series: pl.Series) -> bool:
    """Whether a float series without NaN holds numbers, and whole ones only.

    Example:
        >>> are_whole(pl.Series([1.0, None])), are_whole(pl.Series([1.0, 1.5]))
        (True, False)
    """
    if series.null_count() == len(series):
        return False
    values = series.to_numpy()
    return bool(np.all((np.floor(values) == values) | np.isnan(values)))
