"""Errors, one tree: what the caller can mend, and what is our bug.

Every floor above raises these; the command line turns a `UserError` into one
line and exit status 2, a server into HTTP 400 or 422.
"""

import difflib
from collections.abc import Iterable


class AssayError(Exception):
    """Base of every error that assay raises on purpose."""


class UserError(AssayError):
    """Something the caller can mend: a file, a value, an option.

    Args:
        what: What happened, quoting the offending value.
        where: File, line, column or option it happened at.
        fix: What to do about it, as an instruction.

    Example:
        >>> print(UserError("'abc' is not a number", where="people.csv, line 7", fix="Correct it"))
        people.csv, line 7: 'abc' is not a number. Correct it.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        text = _ended(head)
        return f"{text} {_ended(self.fix)}" if self.fix else text


class InternalError(AssayError):
    """A broken promise of assay's own; please report it."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return an instruction naming the nearest known name, or listing a few.

    Args:
        name: What the caller wrote.
        known: The valid names.

    Returns:
        A sentence for `UserError.fix`, or None when nothing is known.

    Example:
        >>> did_you_mean("Survive", ["Survived", "Age"])
        "Did you mean 'Survived'?"
    """
    names = list(known)
    if not names:
        return None
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    if near:
        return f"Did you mean {lowered[near[0]]!r}?"
    shown = ", ".join(repr(candidate) for candidate in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"Known: {shown}{more}"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(("?", "!", ".")) else f"{sentence}."
