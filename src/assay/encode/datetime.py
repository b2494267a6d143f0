"""Dates to numbers: elapsed time and the parts of a calendar, with nothing fitted."""

import numpy as np
import polars as pl

from assay.encode.features import NumericPart

DATE_PARTS: tuple[NumericPart, ...] = (
    "elapsed",
    "year",
    "month",
    "day",
    "weekday",
    "hour",
    "minute",
)


def date_part(dates: pl.Series, part: NumericPart) -> np.ndarray:
    """Return one part of each date.

    Args:
        dates: N values of type Datetime; null where missing.
        part: "elapsed" (days since 1970-01-01, with fractions), "year", "month"
            (1-12), "day" (1-31), "weekday" (1 Monday - 7 Sunday), "hour" (0-23) or
            "minute" (0-59).

    Returns:
        Array of shape (N,), float64, NaN where missing.

    Example:
        >>> from datetime import datetime
        >>> float(date_part(pl.Series([datetime(1912, 4, 15, 2)]), "hour")[0])
        2.0
    """
    values = {
        "elapsed": lambda: dates.dt.epoch("us").cast(pl.Float64) / 86_400e6,
        "year": dates.dt.year,
        "month": dates.dt.month,
        "day": dates.dt.day,
        "weekday": dates.dt.weekday,
        "hour": dates.dt.hour,
        "minute": dates.dt.minute,
    }[part]()
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
