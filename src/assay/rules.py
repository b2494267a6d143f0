"""Rules of deciding as a person writes them: "precision>=0.9" in, a name and a limit out."""

import re
from dataclasses import dataclass

THRESHOLD_METRICS = ("f1", "youden", "balanced_accuracy")
"""Measures of one class against the rest that a threshold may make as large as it can."""

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_LIMITED = re.compile(rf"([a-z]+)\s*>=\s*{_NUMBER}")
_COST = re.compile(rf"cost\s*<=\s*{_NUMBER}")
_TOP = re.compile(rf"top\s*{_NUMBER}\s*%")
_THRESHOLDS = (
    'auto, none, f1, youden, balanced_accuracy, "precision>=0.9", "recall>=0.8" or "top 5%"'
)
_ABSTENTIONS = '"set", "probability>=0.8", "accuracy>=0.95", "answered>=0.8" or "cost<=2"'
_QUOTED = 40  # letters


@dataclass(frozen=True)
class Rule:
    """What is asked for.

    Attributes:
        name: Of the rule, such as "precision".
        limit: The number that it sets, a share in (0, 1] or a cost; None where it sets none.
    """

    name: str
    limit: float | None = None

    def __str__(self) -> str:
        """Return the rule as it is written: it reads back as itself."""
        if self.limit is None:
            return self.name
        if self.name == "top":
            return f"top {self.limit * 100:.10g}%"
        return f"{self.name}{'<=' if self.name == 'cost' else '>='}{self.limit:.10g}"


def parse_threshold(text: str) -> Rule:
    """Read how a threshold is chosen.

    Returns:
        "auto", "none", one of `THRESHOLD_METRICS`, or "precision", "recall" or "top" with
        its share.

    Raises:
        ValueError: It is none of these.

    Example:
        >>> parse_threshold("precision >= 0.9"), str(parse_threshold("top 5 %"))
        (Rule(name='precision', limit=0.9), 'top 5%')
    """
    lowered = text.strip().lower()
    if lowered in ("auto", "none", *THRESHOLD_METRICS):
        return Rule(lowered)
    if found := _TOP.fullmatch(lowered):
        return _limited("top", float(found[1]) / 100, text)
    found = _LIMITED.fullmatch(lowered)
    if found is None or found[1] not in ("precision", "recall"):
        raise ValueError(f"{_cut(text)!r} is no rule for a threshold; write {_THRESHOLDS}")
    return _limited(found[1], float(found[2]), text)


def parse_abstention(text: str) -> Rule:
    """Read when a row gets no label.

    Returns:
        "set", or "probability", "accuracy" or "answered" with its share, or "cost" with
        the most that a decision may be expected to cost.

    Raises:
        ValueError: It is none of these.

    Example:
        >>> parse_abstention("answered>=.8"), str(parse_abstention("cost <= 2.50"))
        (Rule(name='answered', limit=0.8), 'cost<=2.5')
    """
    lowered = text.strip().lower()
    if lowered == "set":
        return Rule("set")
    if found := _COST.fullmatch(lowered):
        return Rule("cost", float(found[1]))
    found = _LIMITED.fullmatch(lowered)
    if found is None or found[1] not in ("probability", "accuracy", "answered"):
        raise ValueError(f"{_cut(text)!r} is no rule for giving no label; write {_ABSTENTIONS}")
    return _limited(found[1], float(found[2]), text)


def _limited(name: str, share: float, text: str) -> Rule:
    if not 0.0 < share <= 1.0:
        raise ValueError(f"{_cut(text)!r} asks for a share outside (0, 1]")
    return Rule(name, share)


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
