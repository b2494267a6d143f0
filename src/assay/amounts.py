"""Amounts with units as a person writes them: "90s" and "4G" in, numbers out.

`TimeText`, `SizeText` and `MemoryText` are types of options: text, empty for none.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_UNIT = r"(seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)"
_NUMBER = r"(\d+(?:\.\d+)?)"
_PLAIN_TIME = re.compile(_NUMBER)
_PART = re.compile(rf"{_NUMBER}\s*{_UNIT}\s*")
_TIME = re.compile(f"(?:{_PART.pattern})+")  # each unit required: no number has two readings
_LONGEST_S = 1e12  # 30,000 years
_LARGEST_BYTES = 2.0**63  # beyond what a file or an address can count
_SIZE = re.compile(rf"{_NUMBER}\s*([kmgt]?)(i?)b?")
_LEAST_MEMORY = 1_000_000  # bytes: a smaller budget lacks its unit
_QUOTED = 40  # letters
_THOUSANDS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def too_few(n_rows: int, whose: str = "") -> str:
    """Return that rows are too few, with the verb that goes with their number.

    Args:
        n_rows: How many there are.
        whose: Said of them, with a space before it.

    Example:
        >>> too_few(1), too_few(7, " of the test")
        ('1 row is too few', '7 rows of the test are too few')
    """
    noun, verb = ("row", "is") if n_rows == 1 else ("rows", "are")
    return f"{n_rows} {noun}{whose} {verb} too few"


def parse_duration(text: str) -> float:
    """Return the seconds of a time such as "90s", "10m" or "1h30m"; without unit, seconds.

    Raises:
        ValueError: It is no time, none above 0, or one of 10^12 seconds or more.

    Example:
        >>> parse_duration("90"), parse_duration("1h30m"), parse_duration("0.5 min")
        (90.0, 5400.0, 30.0)
    """
    lowered = text.strip().lower()
    if _PLAIN_TIME.fullmatch(lowered):
        parts = [(lowered, "s")]
    elif _TIME.fullmatch(lowered):
        parts = _PART.findall(lowered)
    else:
        raise ValueError(f"{_cut(text)!r} is not a time such as 90s, 10m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit[0]] for number, unit in parts)
    if not seconds > 0.0:
        raise ValueError(f"{_cut(text)!r} is no time at all")
    if not seconds < _LONGEST_S:
        raise ValueError(f"{_cut(text)!r} is not a time such as 90s, 10m or 1h30m: too long")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of a size such as "500M", "4G" or "2GiB"; without unit, bytes.

    K, M, G and T count in thousands; Ki, Mi, Gi and Ti in steps of 1024.

    Raises:
        ValueError: It is no size, less than a byte, or 2^63 bytes or more.

    Example:
        >>> parse_size("4G"), parse_size("1.5 MB"), parse_size("2GiB")
        (4000000000, 1500000, 2147483648)
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or (found[3] and not found[2]):
        raise ValueError(f"{_cut(text)!r} is not a size such as 500M, 4G or 2GiB")
    step = 1024 if found[3] else 1000
    size = float(found[1]) * step ** _THOUSANDS[found[2]]
    if size < 1.0:
        raise ValueError(f"{_cut(text)!r} is no size at all")
    if not size < _LARGEST_BYTES:
        raise ValueError(f"{_cut(text)!r} is not a size such as 500M, 4G or 2GiB: too large")
    return int(size)


def size_text(n_bytes: float) -> str:
    """Return a size in words, three digits at the most.

    Example:
        >>> size_text(400_000), size_text(812_000_000), size_text(4.04e9), size_text(1.2e11)
        ('400 kB', '812 MB', '4.0 GB', '120 GB')
    """
    for unit, scale in (("bytes", 1.0), ("kB", 1e3), ("MB", 1e6)):
        if round(n_bytes / scale) < 1000:
            return f"{n_bytes / scale:.0f} {unit}"
    gigabytes = n_bytes / 1e9
    return f"{gigabytes:.1f} GB" if gigabytes < 99.95 else f"{gigabytes:.0f} GB"


def duration_text(seconds: float) -> str:
    """Return a time in words.

    Example:
        >>> duration_text(3.2), duration_text(75.0), duration_text(7260.0)
        ('3 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _as_text(value: Any) -> Any:
    """Let a plain number stand for itself: 90 is "90"."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value) if is_number else value


def _checked_time(text: str) -> str:
    if text:
        parse_duration(text)
    return text


def _checked_size(text: str) -> str:
    if text:
        parse_size(text)
    return text


def _checked_memory(text: str) -> str:
    if text and parse_size(text) < _LEAST_MEMORY:
        raise ValueError(f"{_cut(text)!r} is less than 1 MB; give a size such as 500M, 4G or 2GiB")
    return text


def _cut(text: str) -> str:
    """Return what of a text is quoted in an error of one line."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


TimeText = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked_time)]
SizeText = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked_size)]
MemoryText = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked_memory)]
