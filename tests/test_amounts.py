"""Times and sizes as people write them."""

import pytest

from assay.amounts import duration_text, parse_duration, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("1h 30 min 5 sec", 5405.0),
        ("0.5", 0.5),
        ("2 DAYS", 172_800.0),
    ],
)
def test_a_time_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10x",
        "m",
        "-3s",
        "0s",
        "1e3",
        "5m3",
        "10 20",
        "nan",
        "inf",
        "1h-2m",
        "9" * 400,
        "9" * 400 + "s",
        "1e12 d",
        "12000000d",
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a time|is no time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("4G", 4 * 10**9), ("500M", 5 * 10**8), ("2GiB", 2**31), ("1.5 kb", 1500), ("7", 7)],
)
def test_a_size_is_read_in_bytes(text, n_bytes):
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize(
    "text",
    ["", "4Q", "G", "-1G", "0M", "4ib", "1e9", "4 G B", "9" * 400, "9" * 300 + "T", "9300000T"],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a size|is no size"):
        parse_size(text)


def test_a_long_time_that_is_none_is_refused_without_trying_all_readings():
    with pytest.raises(ValueError, match=r"^'1{40}…' is not a time"):
        parse_duration("1" * 5_000 + "x")


def test_amounts_are_told_in_words():
    assert [size_text(n) for n in (3e6, 1.26e9, 2.4e11)] == ["3 MB", "1.3 GB", "240 GB"]
    assert [size_text(n) for n in (12, 999.6, 4e5, 999_600)] == [
        "12 bytes",
        "1 kB",
        "400 kB",
        "1 MB",
    ]
    assert [size_text(n) for n in (999.4e6, 999.6e6, 99.96e9)] == ["999 MB", "1.0 GB", "100 GB"]
    assert [duration_text(s) for s in (0.2, 59.6, 3_599.7)] == ["0 s", "1 min 0 s", "1 h 0 min"]
