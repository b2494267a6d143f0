"""The ledger: every decision taken about the data, why, and how to undo it.

Readers, kinds, split and encoders write to it; the model file, the report and
the terminal show it. Nothing leaves the table without an entry here.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One decision.

    Attributes:
        what: What was done, in the past tense ("column set aside").
        where: Column, file or rows it was done to.
        why: The evidence.
        undo: The recipe option that undoes it, or an empty string.
    """

    what: str
    where: str
    why: str
    undo: str = ""

    def __str__(self) -> str:
        undo = f" [{self.undo}]" if self.undo else ""
        return f"{self.where}: {self.what}, {self.why}{undo}"


class Ledger:
    """An append-only list of decisions.

    Example:
        >>> ledger = Ledger()
        >>> ledger.add("column set aside", where="id", why="all values differ")
        >>> len(ledger)
        1
    """

    def __init__(self, entries: tuple[Entry, ...] = ()) -> None:
        self._entries = list(entries)

    def add(self, what: str, *, where: str, why: str, undo: str = "") -> None:
        """Append one decision; see `Entry` for the words."""
        self._entries.append(Entry(what=what, where=where, why=why, undo=undo))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def to_list(self) -> list[dict[str, str]]:
        """Return the entries as plain dictionaries, for JSON."""
        return [dict(vars(entry)) for entry in self._entries]

    @classmethod
    def from_list(cls, entries: list[dict[str, str]]) -> "Ledger":
        """Rebuild a ledger from `to_list`."""
        return cls(tuple(Entry(**entry) for entry in entries))
