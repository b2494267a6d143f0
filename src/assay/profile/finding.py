"""One finding: what was seen in the table, how grave it is, and what may be done."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["high", "medium", "low"]

ROWS = "rows"
"""`where` of a finding about rows rather than one column."""

_RANK = {"high": 0, "medium": 1, "low": 2}
_MOST_ALIKE = 8


@dataclass(frozen=True)
class Finding:
    """Something in the table that a person should know before believing a score.

    Attributes:
        kind: What was looked for, such as "leak" or "duplicates".
        severity: "high" where the score is probably not to be believed, "medium" where
            it may mislead, "low" for what is good to know.
        where: A column, or "rows".
        what: One sentence.
        evidence: The figures behind it.
        option: What to write in the recipe to act on it, or an empty string.
    """

    kind: str
    severity: Severity
    where: str
    what: str
    evidence: str
    option: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return plain data for JSON.

        Example:
            >>> Finding("leak", "high", "x", "x tells y", "AUROC 1.000").to_dict()["where"]
            'x'
        """
        return asdict(self)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings, the gravest first; those of one severity stay in their order."""
    return tuple(sorted(findings, key=lambda one: _RANK[one.severity]))


def shortened(findings: list[Finding]) -> list[Finding]:
    """Merge the tail of many findings of one kind and severity into one.

    A table of 10,000 columns may hold 3,000 that are nearly constant: 8 are told one by
    one, and how many more there are.
    """
    kept: list[Finding] = []
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.kind, one.severity), []).append(one)
    for alike in groups.values():
        kept += alike[:_MOST_ALIKE]
        rest = alike[_MOST_ALIKE:]
        if rest:
            names = ", ".join(repr(one.where) for one in rest[:_MOST_ALIKE])
            more = ", ..." if len(rest) > _MOST_ALIKE else ""
            first = rest[0]
            are = "more is alike" if len(rest) == 1 else "more are alike"
            kept.append(
                Finding(
                    first.kind,
                    first.severity,
                    f"{len(rest)} columns" if len(rest) > 1 else first.where,
                    f"{len(rest)} {are}",
                    f"{names}{more}",
                )
            )
    return kept


def drop_option(*names: str) -> str:
    """Write the recipe line that leaves columns out.

    Example:
        >>> drop_option("id", "row")
        'drop = ["id", "row"]'
    """
    return f"drop = [{', '.join(_quoted(name) for name in names)}]"


def text_option(option: str, name: str) -> str:
    """Write a recipe line whose value is a column's name.

    Example:
        >>> text_option("split.group", "patient")
        'split.group = "patient"'
    """
    return f"{option} = {_quoted(name)}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)  # a TOML string is written the same
