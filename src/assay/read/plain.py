"""Columns of plain types: what any type of Polars becomes, and how its cells are written.

Each cell is written by itself, so that it means the same whatever stands beside it: a
model that is asked about one row answers as for a whole table.
"""

import json

import polars as pl

_WHOLE_LIMIT = 2.0**63


def plain_series(series: pl.Series) -> pl.Series:
    """Reduce a column to String, Boolean, numbers or a temporal type.

    Categories become String, decimals Float64, durations seconds, lists, maps and
    structures JSON text, bytes text (hexadecimal where they are not UTF-8), types
    of other libraries what they are stored as, and anything else its text.
    """
    dtype = series.dtype
    if isinstance(dtype, pl.datatypes.BaseExtension):
        return plain_series(series.ext.storage())
    if isinstance(dtype, pl.Categorical | pl.Enum) or dtype == pl.Null:
        return series.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        return series.cast(pl.Float64)
    if isinstance(dtype, pl.Duration):
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if dtype.is_nested():
        return _json_texts(series)
    if dtype == pl.Binary:
        return _decoded(series)
    if _is_plain(dtype):
        return series
    values = [None if value is None else str(value) for value in series.to_list()]
    return pl.Series(series.name, values, dtype=pl.String)


def as_text(series: pl.Series) -> pl.Series:
    """Write a plain series that is not String as text; NaN becomes null."""
    dtype = series.dtype
    if dtype == pl.String:
        return series
    if dtype.is_float():
        is_whole = (series.floor() == series) & (series.abs() < _WHOLE_LIMIT)
        whole = series.set(~is_whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
        text = series.cast(pl.String)
        return whole.zip_with(whole.is_not_null(), text).set(series.is_nan().fill_null(False), None)
    if isinstance(dtype, pl.Datetime):
        return without_zone(series).dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    if dtype == pl.Date:
        return series.dt.strftime("%Y-%m-%d")
    if dtype == pl.Time:
        return series.dt.strftime("%H:%M:%S%.f")
    return series.cast(pl.String)


def without_zone(series: pl.Series) -> pl.Series:
    """Return a Datetime series in UTC, of microseconds and without its zone."""
    dtype = series.dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series.cast(pl.Datetime("us"))


def json_text(value: object) -> str:
    r"""Write a nested cell as JSON; bytes in it as text, hexadecimal where they are not UTF-8.

    Example:
        >>> json_text({"bytes": b"ab", "n": [1, None], "raw": b"\xff"})
        '{"bytes":"ab","n":[1,null],"raw":"ff"}'
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_inner_text)
    except TypeError:  # a key that JSON has no way to write
        return str(value)


def bytes_text(value: bytes) -> str:
    r"""Return bytes as text; as hexadecimal digits where they are not UTF-8.

    Example:
        >>> bytes_text(b"ab"), bytes_text(b"\xff\x00")
        ('ab', 'ff00')
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _inner_text(value: object) -> str:
    return bytes_text(value) if isinstance(value, bytes) else str(value)


def _is_plain(dtype: pl.DataType) -> bool:
    is_text = dtype in (pl.String, pl.Boolean, pl.Null)
    return is_text or dtype.is_numeric() or dtype.is_temporal()


def _json_texts(series: pl.Series) -> pl.Series:
    if not _is_encodable(series.dtype):
        texts = [None if value is None else json_text(value) for value in series.to_list()]
        return pl.Series(series.name, texts, dtype=pl.String)
    if isinstance(series.dtype, pl.Struct):
        return series.struct.json_encode().set(series.is_null(), None)
    packed = series.to_frame("value").select(pl.struct("value")).to_series()
    text = packed.struct.json_encode().str.strip_prefix('{"value":').str.strip_suffix("}")
    return text.set(series.is_null(), None).alias(series.name)


def _is_encodable(dtype: pl.DataType) -> bool:
    """Whether Polars writes such cells as JSON: it panics at bytes inside."""
    if isinstance(dtype, pl.Struct):
        return all(_is_encodable(field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    if isinstance(dtype, pl.List | pl.Array):
        return _is_encodable(dtype.inner)  # type: ignore[arg-type]
    return _is_plain(dtype) or isinstance(dtype, pl.Categorical | pl.Enum)


def _decoded(series: pl.Series) -> pl.Series:
    try:
        return series.cast(pl.String)
    except pl.exceptions.ComputeError:  # some cell is no text; the others are all the same
        texts = [None if value is None else bytes_text(value) for value in series.to_list()]
        return pl.Series(series.name, texts, dtype=pl.String)
