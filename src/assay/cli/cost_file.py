"""A cost matrix as a person keeps it: a small CSV or TOML file in, costs by name out."""

import contextlib
import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from assay.errors import UserError

_SEPARATORS = (",", ";", "\t")
_MOST_BYTES = 50_000_000  # 1,000 classes with 16 digits each have less


def read_cost_file(path: str) -> dict[str, dict[str, float]]:
    """Read what each decision costs for each true class.

    A CSV file names the decided classes in its first line and the true class at the
    start of each further line; separators are commas, semicolons or tabs. Empty cells
    are left out. A TOML file has a table for each true class: ["ill"], then well = 9.0.

    Returns:
        {true: {decided: cost}}; whether they fit the target is for `cost_matrix`.

    Raises:
        UserError: The file cannot be read, or is no such matrix; the line is told.
    """
    text = _text(path)
    costs = (
        _from_toml(text, path) if Path(path).suffix.lower() == ".toml" else _from_csv(text, path)
    )
    if not costs:
        raise UserError("holds no cost", where=path, fix="Name the classes in its first line")
    return costs


@contextlib.contextmanager
def blaming(path: str | None) -> Iterator[None]:
    """Let what is wrong with decide.cost be said of the file that the costs came from.

    Args:
        path: Of the file, or None where there is none.

    Raises:
        UserError: As raised inside, with the file for the option.
    """
    try:
        yield
    except UserError as error:
        option, where = "decide.cost", error.where or ""
        if path is None or not where.startswith(option):
            raise
        where = path + where.removeprefix(option)
        raise UserError(error.what, where=where, fix=error.fix) from None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot read the costs: {reason}", where=path) from None
    except UnicodeDecodeError:
        raise UserError("the costs are not UTF-8 text", where=path) from None
    if len(text) > _MOST_BYTES:
        raise UserError("the costs are longer than 50 MB", where=path, fix="Give fewer digits")
    return text


def _from_toml(text: str, path: str) -> dict[str, dict[str, float]]:
    from assay.toml_text import read_toml

    costs: dict[str, dict[str, float]] = {}
    for true, row in read_toml(text, where=path).items():
        if not isinstance(row, dict):
            raise UserError(
                f"{true!r} is no table of costs", where=path, fix=f'Write ["{true}"], then costs'
            )
        costs[true] = {}
        for decided, value in row.items():
            costs[true][decided] = _number(value, f"{path}, {true!r} as {decided!r}")
    return costs


def _number(value: object, place: str) -> float:
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            what = "a number of hundreds of digits is no cost"
            raise UserError(what, where=place) from None
    if not math.isfinite(number):
        raise UserError(f"{value!r} is no cost", where=place)
    return number


def _from_csv(text: str, path: str) -> dict[str, dict[str, float]]:
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names: list[str] = []
    costs: dict[str, dict[str, float]] = {}
    try:
        for cells in reader:
            place = f"{path}, line {reader.line_num}"
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not names:
                names = _header(cells, place)
                continue
            if cells[0] in costs:
                raise UserError(f"class {cells[0]!r} has two lines", where=place)
            costs[cells[0]] = _row(cells, names, place, separator)
    except csv.Error as error:
        raise UserError(
            f"not valid CSV: {error}", where=f"{path}, line {reader.line_num}"
        ) from None
    _check_square(costs, names, path)
    return costs


def _header(cells: list[str], place: str) -> list[str]:
    names = cells[1:]
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(f"two columns are called {name!r}", where=place)
    if not names:
        raise UserError(
            "names no class to decide", where=place, fix="Begin with ,CLASS,CLASS and so on"
        )
    return names


def _row(cells: list[str], names: list[str], place: str, separator: str) -> dict[str, float]:
    if len(cells) != len(names) + 1:
        raise UserError(
            f"holds {len(cells) - 1} of {len(names)} costs",
            where=place,
            fix="Give one for each class that the first line names; the cell may be empty",
        )
    return {
        name: _cost(cell, f"{place}, column {name!r}", separator)
        for name, cell in zip(names, cells[1:], strict=True)
        if cell
    }


def _cost(cell: str, place: str, separator: str) -> float:
    try:
        value = float(cell if separator == "," else cell.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{cell!r} is no cost", where=place, fix="Give a number")
    return value


def _check_square(costs: dict[str, dict[str, float]], names: list[str], path: str) -> None:
    known = set(names)
    lacking = [name for name in names if name not in costs]
    extra = [name for name in costs if name not in known]
    what = ""
    if lacking:
        what = f"has no line for class {lacking[0]!r}, which its first line names"
    elif extra:
        what = f"has a line for class {extra[0]!r}, but no column"
    if what:
        fix = "Give a line for each true class and a column for each decided one"
        raise UserError(what, where=path, fix=fix)
