"""Date formats."""

import datetime as dt

import polars as pl
import pytest

from assay.read.dates import find_date_format, parse_any_dates, parse_dates

MOMENT = dt.datetime(2021, 3, 25, 14, 5, 9)
FORMATS = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d/%m/%y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %I:%M %p",
    "%Y-%m-%dT%H:%M:%S.%f",
]


@pytest.mark.parametrize("form", FORMATS)
def test_what_python_writes_is_read_back(form):
    moments = [MOMENT + dt.timedelta(days=37 * i, hours=i) for i in range(30)]
    written = pl.Series([moment.strftime(form) for moment in moments])
    found = find_date_format(written)
    assert found is not None
    expected = [dt.datetime.strptime(text, form) for text in written]
    assert parse_dates(written, found.format).to_list() == expected


def test_offsets_become_utc():
    cells = pl.Series(["2020-01-01T10:00:00Z", "2020-01-01T10:00:00+02:00"])
    found = find_date_format(cells)
    assert found is not None
    hours = [moment.hour for moment in parse_dates(cells, found.format)]
    assert hours == [10, 8]


def test_a_day_above_twelve_decides():
    assert find_date_format(pl.Series(["05/13/2020", "01/02/2020"])).format == "%m/%d/%Y"
    assert find_date_format(pl.Series(["13/05/2020", "01/02/2020"])).format == "%d/%m/%Y"


def test_doubt_is_said():
    found = find_date_format(pl.Series(["01/02/2020", "03/04/2020"]))
    assert found.is_ambiguous


@pytest.mark.parametrize("cells", [["12.5", "3.25"], ["abc"], ["1.2.3"], ["20200101"], ["10:30"]])
def test_other_text_is_no_date(cells):
    assert find_date_format(pl.Series(cells)) is None


def test_years_out_of_range_are_null():
    assert parse_dates(pl.Series(["01/02/20"]), "%d/%m/%Y").to_list() == [None]


def test_dates_of_no_known_format_are_read_one_by_one():
    cells = [
        *("2020-01-04", "2020-01-04T05:06:07Z", "2020-01-04 05:06", "3 Jan 2020", "Jan 3, 2020"),
        *("13/04/2020", "04/13/2020", "04/04/2020", "03/04/2020", "03.04.20", "no date", None),
    ]
    together = parse_any_dates(pl.Series(cells)).to_list()
    assert together == [parse_any_dates(pl.Series([one], dtype=pl.String))[0] for one in cells]
    days = [day and (day.month, day.day) for day in together]
    assert days[3:] == [
        *((1, 3), (1, 3), (4, 13), (4, 13), (4, 4)),
        *(None, (4, 3), None, None),  # 03/04 may be March or April
    ]


def test_no_dates_at_all_stay_a_column_of_dates():
    for cells in ([], [None, None], ["x"]):
        read = parse_any_dates(pl.Series("d", cells, dtype=pl.String))
        assert read.dtype == pl.Datetime("us")
        assert read.to_list() == [None] * len(cells)
