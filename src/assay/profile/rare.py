"""Classes with too few rows to be learnt or judged."""

from collections.abc import Sequence

from assay.profile.finding import ROWS, Finding
from assay.profile.rows import MIN_CLASS_ROWS

_SHOWN = 5


def find_rare_classes(classes: Sequence[str], counts: list[int], n_folds: int) -> list[Finding]:
    """Name the classes with fewer than ten rows, or fewer than two for each fold.

    Args:
        classes: C class names.
        counts: Rows of each class in the whole table, C of them.
        n_folds: Folds of the split, or 0.
    """
    least = max(MIN_CLASS_ROWS, 2 * n_folds)
    rare = [(n, name) for name, n in zip(classes, counts, strict=True) if 0 < n < least]
    if not rare:
        return []
    rare.sort()
    shown = ", ".join(f"{name!r} ({n})" for n, name in rare[:_SHOWN])
    more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
    are = "class has" if len(rare) == 1 else "classes have"
    return [
        Finding(
            "rare_classes",
            "medium",
            ROWS,
            f"{len(rare)} {are} fewer than {least} rows: scores of such a class mean little. "
            "Merge classes, or gather more rows",
            f"{shown}{more}",
        )
    ]
