"""Dates written as text: which format a column uses, and parsing by it."""

from dataclasses import dataclass

import polars as pl

_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y")
_MONTH_FIRST = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y"}
_MONTH_FIRST |= {"%d/%m/%y": "%m/%d/%y", "%d-%m-%y": "%m-%d-%y"}
_SWAPPED = _MONTH_FIRST | {month: day for day, month in _MONTH_FIRST.items()}
_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    *_DAY_FIRST,
    *_MONTH_FIRST.values(),
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%d-%b-%y",
)
_TIMES: tuple[str, ...] = ("", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %H:%M", "T%H:%M")
_TIMES += ("T%H:%M:%S%.f%z", " %H:%M:%S%.f%z", " %H:%M:%S%.f %z", " %I:%M:%S %p", " %I:%M %p")
_N_TRIED = 64
_MIN_SHARE = 0.5


@dataclass(frozen=True)
class DateFormat:
    """A format and whether day and month could be swapped.

    Attributes:
        format: In strftime's words.
        is_ambiguous: Whether the same cells also read with the month first.
    """

    format: str
    is_ambiguous: bool = False


def parse_dates(text: pl.Series, date_format: str) -> pl.Series:
    """Parse text by a strftime format.

    Args:
        text: Shape (N,), String without outer spaces; null is missing.
        date_format: With "%z", times are converted to UTC, and "Z" is accepted.

    Returns:
        Shape (N,), Datetime("us") without a zone; null where a cell is missing
        or does not fit, or where its year is outside 1000 to 2999.

    Example:
        >>> parse_dates(pl.Series(["2020-01-01T10:00:00Z"]), "%Y-%m-%dT%H:%M:%S%.f%z").to_list()
        [datetime.datetime(2020, 1, 1, 10, 0)]
    """
    if date_format.endswith("%z"):
        text = text.str.replace(r"[Zz]$", "+00:00").str.replace(r"([+-]\d\d)$", "${1}:00")
    if date_format in ("%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d.%m.%y", "%d-%b-%y"):
        text = text.set(~text.str.contains(r"\D\d\d$").fill_null(False), None)
    values = text.str.to_datetime(date_format, time_unit="us", strict=False, ambiguous="null")
    if values.dtype.time_zone is not None:  # type: ignore[attr-defined]
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    is_sane = values.dt.year().is_between(1000, 2999)
    return values.set(~is_sane.fill_null(False), None)


def parse_dates_like(text: pl.Series, date_format: str) -> pl.Series:
    """Parse text by a strftime format, and by its date with another time of day, or none.

    Only where the format has an offset may others have one, and then all must.

    Args:
        text: As for `parse_dates`.
        date_format: The same.

    Returns:
        The same.

    Example:
        >>> parse_dates_like(pl.Series(["2020-01-01", "2020-01-01T10:00"]), "%Y-%m-%d").to_list()
        [datetime.datetime(2020, 1, 1, 0, 0), datetime.datetime(2020, 1, 1, 10, 0)]
    """
    values = parse_dates(text, date_format)
    dates = [date for date in _DATES if date_format.startswith(date)]
    has_offset = date_format.endswith("%z")
    times = [time for time in _TIMES if time.endswith("%z") == has_offset]
    for other in (date + time for date in dates for time in times):
        if values.null_count() == text.null_count():
            break
        values = values.fill_null(parse_dates(text, other))
    return values


def parse_any_dates(text: pl.Series) -> pl.Series:
    """Parse text of which no format is known, each cell by itself.

    Args:
        text: As for `parse_dates`.

    Returns:
        The same. A cell is null too where it can also be read with the month first, and is
        another day then: other cells could tell, but a row must mean the same without them.

    Example:
        >>> parse_any_dates(pl.Series(["2020-02-01", "Feb 1, 2020", "01/02/2020"])).to_list()
        [datetime.datetime(2020, 2, 1, 0, 0), datetime.datetime(2020, 2, 1, 0, 0), None]
    """
    distinct = text.drop_nulls().unique(maintain_order=True)
    has_time = distinct.str.contains(":", literal=True)
    read = [_read_each(distinct.filter(which)) for which in (has_time, ~has_time)]
    known = pl.concat(read)
    return text.replace_strict(
        known["text"], known["moment"], default=None, return_dtype=pl.Datetime("us")
    )


def _read_each(left: pl.Series) -> pl.DataFrame:
    """Return the columns `text` and `moment` of the cells that are dates."""
    read = [pl.DataFrame(schema={"text": pl.String, "moment": pl.Datetime("us")})]
    for date, time in _possible(left.to_list()):
        if not len(left):
            break
        moment = parse_dates(left, date + time)
        if date in _SWAPPED:
            other = parse_dates(left, _SWAPPED[date] + time)
            moment = moment.set((other != moment).fill_null(False), None)
        read.append(pl.DataFrame({"text": left, "moment": moment}).drop_nulls())
        left = left.filter(moment.is_null())
    return pl.concat(read)


def _possible(texts: list[str]) -> list[tuple[str, str]]:
    """Return the formats of dates and times that marks in the cells do not rule out."""
    marks = set().union(*texts)
    dates = [date for date in _DATES if date[2] in marks]
    if not any(text[at : at + 3].isalpha() for text in texts for at in (0, 2, 3)):
        dates = [date for date in dates if "b" not in date.lower()]
    times = [time for time in _TIMES if (set(time[:1]) | set(":") if time else set()) <= marks]
    if not marks & set("mM"):
        times = [time for time in times if "%p" not in time]
    return [(date, time) for time in times for date in dates]


def find_date_format(values: pl.Series) -> DateFormat | None:
    """Find the format that reads the most of distinct values.

    Args:
        values: Cells, String without outer spaces; nulls are ignored.

    Returns:
        The format, or None where no format reads half of the values. Where
        both orders of day and month read all, the part with more distinct
        values is taken for the day, and day first if that does not tell.

    Example:
        >>> find_date_format(pl.Series(["31/12/2020", "01/02/2021"])).format
        '%d/%m/%Y'
    """
    values = values.drop_nulls()
    if not len(values) or not _may_be_dates(values):
        return None
    tried = values.gather_every(max(len(values) // _N_TRIED, 1)).head(_N_TRIED)
    likely = [(_n_read(tried, form), form) for form in _candidates(tried.head(8).to_list())]
    likely = [(count, form) for count, form in likely if count >= _MIN_SHARE * len(tried)]
    # Stable: of equals the earlier in the list wins.
    likely.sort(key=lambda pair: -pair[0])
    counted = [(_n_read(values, form), form) for _, form in likely[:6]]
    if not counted:
        return None
    n_read, best = max(counted, key=lambda pair: pair[0])
    date, _, _ = best.partition(" ")
    swapped = _MONTH_FIRST.get(date.partition("T")[0])
    if swapped is None or (n_read, best.replace(date, swapped)) not in counted:
        return DateFormat(best)
    return DateFormat(_by_spread(values, best, best.replace(date, swapped)), is_ambiguous=True)


def _candidates(examples: list[str]) -> list[str]:
    # All 190 formats would cost 50 ms a column; marks in the cells rule most out.
    dates = [date for date in _DATES if any(date[2] in text for text in examples)]
    if not any(text[:3].isalpha() or text[3:6].isalpha() for text in examples):
        dates = [date for date in dates if "b" not in date.lower()]
    if not any(":" in text for text in examples):
        return dates
    times = [time for time in _TIMES if time]
    times = [time for time in times if any(time[0] in text for text in examples)]
    if not any(text[-1:] in "mM" for text in examples):
        times = [time for time in times if "%p" not in time]
    return [date + time for time in times for date in dates]


def _may_be_dates(values: pl.Series) -> bool:
    shape = r"^\d{1,4}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,4}|^[A-Za-z]{3,9} \d{1,2}, \d{4}"
    head = values.head(_N_TRIED)
    return int(head.str.contains(shape).sum()) >= _MIN_SHARE * len(head)


def _n_read(values: pl.Series, date_format: str) -> int:
    return len(values) - parse_dates(values, date_format).null_count()


def _by_spread(values: pl.Series, day_first: str, month_first: str) -> str:
    first = values.str.extract(r"^(\d+)").n_unique()
    second = values.str.extract(r"^\d+\D(\d+)").n_unique()
    return month_first if second > first else day_first
