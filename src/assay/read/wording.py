"""Counts and lists in the sentences that readers write to the ledger and to errors."""

from collections.abc import Iterable, Sequence

from assay.ledger import Ledger


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


def tell_utc(name: str, why: str, ledger: Ledger) -> None:
    """Tell the ledger that the moments of a column, of a zone or with offsets, became UTC's."""
    column = name.replace('"', '""')
    undo = f"""derive, such as "{column}" + INTERVAL '10 hours', or times without a zone"""
    ledger.add("times read as UTC", where=name, why=why, undo=undo)


def other_offsets(cells: Sequence[object]) -> str:
    """Say how many moments, as they were written, have an offset from UTC.

    Example:
        >>> other_offsets(["2020-01-01 10:00:00 +02:00"])
        "1 cell of another offset, such as '2020-01-01 10:00:00 +02:00'"
    """
    return f"{counted(len(cells), 'cell')} of another offset, such as {quoted(cells, limit=1)}"


def quoted(cells: Iterable[object], *, limit: int = 3) -> str:
    """Return the first few cells in quotes, each cut to 40 characters.

    Example:
        >>> quoted(["abc", "n.a.", "x", "y"])
        "'abc', 'n.a.', 'x'"
    """
    shown = [repr(str(cell)[:40]) for _, cell in zip(range(limit), cells, strict=False)]
    return ", ".join(shown)
