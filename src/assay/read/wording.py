"""Counts and lists in the sentences that readers write to the ledger and to errors."""

from collections.abc import Iterable


def counted(n: int, noun: str) -> str:
    """Return a count with its noun.

    Args:
        n: How many, at least 0.
        noun: In the singular; its plural takes an s.

    Example:
        >>> counted(1, "row"), counted(0, "comment line")
        ('1 row', '0 comment lines')
    """
    return f"1 {noun}" if n == 1 else f"{n} {noun}s"


def quoted(cells: Iterable[object], *, limit: int = 3) -> str:
    """Return the first few cells in quotes, each cut to 40 characters.

    Example:
        >>> quoted(["abc", "n.a.", "x", "y"])
        "'abc', 'n.a.', 'x'"
    """
    shown = [repr(str(cell)[:40]) for _, cell in zip(range(limit), cells, strict=False)]
    return ", ".join(shown)
