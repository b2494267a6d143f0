"""Files of the package that are tables: their names and where they lie."""

from pathlib import Path

from assay.errors import UserError, did_you_mean

_FOLDER = Path(__file__).parent
_FILES = {"titanic": "titanic.csv"}


def names() -> list[str]:
    """Return the names of the shipped tables, sorted.

    Example:
        >>> names()
        ['titanic']
    """
    return sorted(_FILES)


def path(name: str) -> Path:
    """Return where a shipped table lies on disk.

    Args:
        name: One of `names()`. "titanic" is 891 rows of 12 columns, comma
            separated with a header, the target being "Survived" (0 or 1).

    Raises:
        UserError: No table of that name ships with assay; the nearest is offered.

    Example:
        >>> path("titanic").name
        'titanic.csv'
    """
    if name not in _FILES:
        raise UserError(f"no table {name!r} ships with assay", fix=did_you_mean(name, names()))
    return _FOLDER / _FILES[name]
