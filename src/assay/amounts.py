"""Amounts with units as a person writes them: "90s" and "4G" in, numbers out."""

import re

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)?\s*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?")
_THOUSANDS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_duration(text: str) -> float:
    """Return the seconds of a time such as "90s", "10m" or "1h30m"; without unit, seconds.

    Raises:
        ValueError: It is no time, or none above 0.

    Example:
        >>> parse_duration("90"), parse_duration("1h30m"), parse_duration("0.5 min")
        (90.0, 5400.0, 30.0)
    """
    lowered = text.strip().lower()
    parts = _TIME.findall(lowered)
    is_time = re.fullmatch(f"(?:{_TIME.pattern})+", lowered) is not None
    is_plain = len(parts) == 1 or all(unit for _, unit in parts)
    if not (is_time and is_plain):
        raise ValueError(f"{text!r} is not a time such as 90s, 10m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit[:1] or "s"] for number, unit in parts)
    if not seconds > 0.0:
        raise ValueError(f"{text!r} is no time at all")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of a size such as "500M", "4G" or "2GiB"; without unit, bytes.

    K, M, G and T count in thousands; Ki, Mi, Gi and Ti in steps of 1024.

    Raises:
        ValueError: It is no size, or none above 0.

    Example:
        >>> parse_size("4G"), parse_size("1.5 MB"), parse_size("2GiB")
        (4000000000, 1500000, 2147483648)
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or (found[3] and not found[2]):
        raise ValueError(f"{text!r} is not a size such as 500M, 4G or 2GiB")
    step = 1024 if found[3] else 1000
    size = int(float(found[1]) * step ** _THOUSANDS[found[2]])
    if size <= 0:
        raise ValueError(f"{text!r} is no size at all")
    return size


def size_text(n_bytes: float) -> str:
    """Return a size in words, three digits at the most.

    Example:
        >>> size_text(812_000_000), size_text(4.04e9), size_text(1.2e11)
        ('812 MB', '4.0 GB', '120 GB')
    """
    if n_bytes < 1e9:
        return f"{n_bytes / 1e6:.0f} MB"
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes < 1e11 else f"{n_bytes / 1e9:.0f} GB"


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
