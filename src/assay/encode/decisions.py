"""What encoding decides about single cells, for the ledger: gaps, rare and unlisted levels.

`table_encoder` calls it with the rows that members may learn from. Each column gets
one entry, and only where something happens.
"""

from typing import NamedTuple

import polars as pl

from assay.encode.features import (
    CategoricalFeature,
    NumericFeature,
    TextFeature,
    column_option,
    list_names,
)
from assay.ledger import Ledger

_FILLERS = {
    "median": "each network's own median",
    "mean": "each network's own mean",
    "mode": "each network's own most common value",
}


class _Decision(NamedTuple):
    what: str
    why: str
    undo: str = ""


def tell_numeric(series: pl.Series, features: list[NumericFeature], ledger: Ledger) -> None:
    """Tell the ledger what fills the gaps of a numeric or date column.

    Args:
        series: N typed cells, null where missing.
        features: What the column became; a date has several parts.
        ledger: Told of it, if there is a gap.

    Example:
        >>> from assay.encode.features import numeric_feature
        >>> from assay.options import EncodeRecipe
        >>> ages, ledger = pl.Series("age", [31.0, None, 40.0]), Ledger()
        >>> values = ages.drop_nulls().to_numpy()
        >>> age = numeric_feature(
        ...     "age", EncodeRecipe(), values=values, has_missing=True, n_bins=16
        ... )
        >>> tell_numeric(ages, [age], ledger)
        >>> print(next(iter(ledger)).what)
        1 cell filled, with each network's own median, and flagged
    """
    n_missing = series.null_count()
    if not n_missing or not features:
        return
    first = features[0]  # the flag of a date goes with its first part
    number = f"{first.fill_value + first.offset:g}"
    flagged = ", and flagged" if first.has_flag else ""
    what = f"{_cells(n_missing)} filled, with {_FILLERS.get(first.fill, number)}{flagged}"
    undo = column_option(series.name, "fill")
    _add([_Decision(what, _missing(series), undo)], series.name, ledger)


def tell_categorical(series: pl.Series, feature: CategoricalFeature, ledger: Ledger) -> None:
    """Tell the ledger about gaps, rare levels, and levels that a given list leaves out.

    Args:
        series: N typed cells, null where missing.
        feature: What the column became.
        ledger: Told of it, if there is any of these.
    """
    decisions = []
    if series.null_count():
        undo = column_option(series.name, "fill")
        decisions.append(_Decision(_filled_level(series, feature), _missing(series), undo))
    counts = series.alias("level").drop_nulls().value_counts(name="n_rows")
    is_listed = counts.get_column("level").is_in(list(feature.levels))
    unlisted = counts.filter(~is_listed).get_column("level").sort().to_list()
    if unlisted:
        levels = "1 level counts" if len(unlisted) == 1 else f"{len(unlisted)} levels count"
        why = f"not in the given list: {list_names(unlisted)}"
        undo = column_option(series.name, "levels")
        decisions.append(_Decision(f"{levels} as unseen", why, undo))
    n_rows = counts.filter(is_listed).get_column("n_rows")
    n_rare = int((n_rows < feature.min_count).sum())
    if n_rare:
        what = f"levels with fewer than {feature.min_count} training rows pooled as rare"
        why = f"{n_rare} of {len(n_rows)} levels {'has' if n_rare == 1 else 'have'} so few"
        decisions.append(_Decision(what, why, column_option(series.name, "min_count")))
    _add(decisions, series.name, ledger)


def tell_text(series: pl.Series, feature: TextFeature, n_needed: int, ledger: Ledger) -> None:
    """Tell the ledger about texts that are empty, or too long to be kept whole.

    Args:
        series: N typed cells, null where missing.
        feature: What the column became.
        n_needed: N-grams per cell that would serve nearly all of them.
        ledger: Told of it, if there is any of these.
    """
    decisions = []
    if series.null_count():
        what = f"{_cells(series.null_count())} read as empty text"
        decisions.append(_Decision(what, _missing(series)))
    if n_needed > feature.n_ngrams:
        what = f"long texts read by an even sample of {feature.n_ngrams} words and n-grams"
        why = f"the longest have about {n_needed}"
        decisions.append(_Decision(what, why, "encode.text_ngrams"))
    _add(decisions, feature.column, ledger)


def _filled_level(series: pl.Series, feature: CategoricalFeature) -> str:
    n_missing = series.null_count()
    if feature.has_flag:
        return f"{_cells(n_missing)} kept as a level of {'its' if n_missing == 1 else 'their'} own"
    if feature.fill == "mode":
        return f"{_cells(n_missing)} filled, with each network's own most common level"
    if feature.fill_value:
        return f"{_cells(n_missing)} filled, with {feature.fill_value!r}"
    return f"{_cells(n_missing)} read as no level"


def _add(decisions: list[_Decision], column: str, ledger: Ledger) -> None:
    if decisions:
        what, why, undo = ("; ".join(filter(None, parts)) for parts in zip(*decisions, strict=True))
        ledger.add(what, where=column, why=why, undo=undo)


def _missing(series: pl.Series) -> str:
    n_missing = series.null_count()
    return f"{n_missing} of {len(series)} cells {'is' if n_missing == 1 else 'are'} missing"


def _cells(n_cells: int) -> str:
    return "1 cell" if n_cells == 1 else f"{n_cells} cells"
