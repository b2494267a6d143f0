"""Numbers written as text: which format a column uses, and parsing by it.

A cell is a number only when the whole of it fits the format: "1,234" with a
comma for thousands, but never "1,2,3".
"""

import re

import polars as pl

from assay.schema import NumberFormat

_CURRENCIES = ("$", "€", "£", "¥", "₹", "USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "INR")
_AFFIXES = (*_CURRENCIES, "%")
# Decimal mark and thousands separator; the ones that read "1,234" as 1234 come
# first because a group of exactly three digits is the stronger evidence.
_FORMATS = ((".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", ""), (".", ""))
_SPACES = r"[\u00a0\u202f\u2009]"
_PLAIN = NumberFormat()


def parse_numbers(text: pl.Series, number_format: NumberFormat) -> pl.Series:
    """Parse text by a format.

    Args:
        text: Shape (N,), String without outer spaces; null is missing.
        number_format: Marks to expect. A percentage keeps its figure: "5%" is 5.

    Returns:
        Shape (N,), Float64; null where the cell is missing or does not fit.
        "inf" and "nan" parse as what they name.

    Example:
        >>> style = NumberFormat(decimal=",", thousands=".", affixes=("€",))
        >>> parse_numbers(pl.Series(["1.234,5 €", "7", "1.2"]), style).to_list()
        [1234.5, 7.0, None]
    """
    if number_format == _PLAIN:
        return text.cast(pl.Float64, strict=False)
    body = _without_affixes(text, number_format.affixes)
    decimal, thousands = re.escape(number_format.decimal), re.escape(number_format.thousands)
    if number_format.thousands == " ":
        body = body.str.replace_all(_SPACES, " ")
    plain = rf"\d+(?:{decimal}\d*)?|{decimal}\d+"
    pattern = rf"^[+-]?(?:{plain})(?:[eE][+-]?\d+)?$"
    if number_format.thousands:
        grouped = rf"\d{{1,3}}(?:{thousands}\d{{3}})+(?:{decimal}\d*)?"
        pattern = rf"^[+-]?(?:{grouped}|(?:{plain})(?:[eE][+-]?\d+)?)$"
    body = body.set(~body.str.contains(pattern).fill_null(False), None)
    if number_format.thousands:
        body = body.str.replace_all(number_format.thousands, "", literal=True)
    if number_format.decimal != ".":
        body = body.str.replace(number_format.decimal, ".", literal=True)
    return body.cast(pl.Float64, strict=False)


def find_number_format(values: pl.Series, *, decimal: str = "auto") -> NumberFormat | None:
    """Find the format that reads the most of distinct values, at least 9 in 10.

    Args:
        values: Distinct cells, String without outer spaces or missing markers.
        decimal: ".", "," or "auto".

    Returns:
        The format, or None where no format reads 90 % of the values. Cells
        with different currencies are not one kind of number.

    Example:
        >>> find_number_format(pl.Series(["$1,234.50", "$7"]))
        NumberFormat(decimal='.', thousands=',', affixes=('$',))
    """
    values = values.drop_nulls()
    if not len(values) or not values.str.contains(r"\d").any():
        return None
    affixes = _found_affixes(values)
    if affixes is None:
        return None
    best, best_score = None, 0.9 * len(values)
    for mark, thousands in _FORMATS:
        if decimal not in ("auto", mark):
            continue
        candidate = NumberFormat(decimal=mark, thousands=thousands, affixes=affixes)
        score = _fit(values, candidate)
        if score > best_score:
            best, best_score = candidate, score
    return _without_unused(best, values) if best else None


def is_ambiguous(values: pl.Series, number_format: NumberFormat) -> bool:
    """Tell whether every grouped value, such as "1,234", could be a decimal too."""
    mark = number_format.thousands
    if mark not in (",", "."):
        return False
    grouped = values.filter(values.str.contains(mark, literal=True))
    once = rf"^\D*[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}\D*$"
    return bool(len(grouped)) and bool(grouped.str.contains(once).all())


def _fit(values: pl.Series, candidate: NumberFormat) -> float:
    n_parsed = len(values) - parse_numbers(values, candidate).null_count()
    # "0,123" is no group of thousands, so it speaks against the separator.
    if candidate.thousands:
        mark = re.escape(candidate.thousands)
        n_parsed -= int(values.str.contains(rf"^[+-]?0{mark}\d").sum())
    return n_parsed


def _found_affixes(values: pl.Series) -> tuple[str, ...] | None:
    at_ends = values.str.contains(r"^[+-]?\s*[^\d.,\s+'-]|[^\d.,\s]$")
    if not at_ends.any():
        return ()
    marked = values.filter(at_ends)
    found = tuple(mark for mark in _AFFIXES if marked.str.contains(_affix_pattern(mark)).any())
    if len(found) > 1:
        return None
    if found == ("%",) and len(marked) < 0.99 * len(values):
        return None
    return found


def _affix_pattern(mark: str) -> str:
    text = re.escape(mark)
    return rf"^[+-]?\s*{text}\s*[+-]?[\d.,]|[\d.,]\s*{text}$"


def _without_affixes(text: pl.Series, affixes: tuple[str, ...]) -> pl.Series:
    for affix in affixes:
        mark = re.escape(affix)
        text = text.str.replace(rf"^([+-]?)\s*{mark}\s*", "${1}")
        text = text.str.replace(rf"\s*{mark}$", "")
    return text


def _without_unused(found: NumberFormat, values: pl.Series) -> NumberFormat:
    # A separator that never occurs must not be accepted in new tables.
    if not found.thousands:
        return found
    mark = rf"\d(?:{_SPACES}| )\d" if found.thousands == " " else re.escape(found.thousands)
    if values.str.contains(mark).any():
        return found
    return NumberFormat(decimal=found.decimal, affixes=found.affixes)
