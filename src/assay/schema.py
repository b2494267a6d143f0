"""Column kinds and the schema: what each column of a table is, and why.

`read.kinds` writes a schema, `read.cast` applies it to raw tables, the encoders
and the model file carry it.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


class Kind(StrEnum):
    """What a column means. Identifiers and constants are never features."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TEXT = "text"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    IDENTIFIER = "identifier"
    CONSTANT = "constant"

    @property
    def is_feature(self) -> bool:
        """Whether columns of this kind feed the network."""
        return self not in (Kind.IDENTIFIER, Kind.CONSTANT)


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written in a text column.

    Attributes:
        decimal: Decimal mark, "." or ",".
        thousands: Separator of thousands, or "" where there is none.
        affixes: Marks removed from either end before parsing ("%", "$", "EUR").
    """

    decimal: str = "."
    thousands: str = ""
    affixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnSpec:
    """One column: its kind, the reason in words, and how to read its cells.

    Attributes:
        name: Column name as in the table.
        kind: What the column means.
        reason: Why this kind was chosen, or "set in the recipe".
        n_missing: Missing cells in the table the schema was made from.
        n_unique: Distinct values that are not missing.
        n_invalid: Cells that did not fit the kind and count as missing.
        number_format: For numbers stored as text, otherwise None.
        datetime_format: A strftime format for dates stored as text; None for
            temporal columns and other kinds.
    """

    name: str
    kind: Kind
    reason: str
    n_missing: int = 0
    n_unique: int = 0
    n_invalid: int = 0
    number_format: NumberFormat | None = None
    datetime_format: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns of a table that a model reads, in order, without the target."""

    columns: tuple[ColumnSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> tuple[ColumnSpec, ...]:
        """Columns whose kind feeds the network."""
        return tuple(column for column in self.columns if column.kind.is_feature)

    @cached_property
    def _by_name(self) -> dict[str, ColumnSpec]:
        # The first of two columns of one name, as a search would find it.
        return {column.name: column for column in reversed(self.columns)}

    def __getitem__(self, name: str) -> ColumnSpec:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"columns": [_column_to_dict(column) for column in self.columns]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Schema":
        """Rebuild a schema from `to_dict`."""
        return cls(tuple(_column_from_dict(column) for column in data["columns"]))


def _column_to_dict(column: ColumnSpec) -> dict[str, Any]:
    number_format = column.number_format
    plain = None if number_format is None else asdict(number_format)
    return {**vars(column), "number_format": plain}  # `asdict` takes ten times as long


def _column_from_dict(data: dict[str, Any]) -> ColumnSpec:
    number_format = data["number_format"]
    if number_format is not None:
        number_format = NumberFormat(
            decimal=number_format["decimal"],
            thousands=number_format["thousands"],
            affixes=tuple(number_format["affixes"]),
        )
    return ColumnSpec(**{**data, "kind": Kind(data["kind"]), "number_format": number_format})
