"""Names of scores and candidates as people say them, and texts that stay on their line."""

from collections.abc import Mapping
from typing import Any

NO_BREAK = "\u00a0"

SCORE_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "F1, mean of classes",
    "precision_macro": "precision, mean of classes",
    "recall_macro": "recall, mean of classes",
    "log_loss": "log loss",
    "brier": "Brier score",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "matthews": "Matthews correlation",
    "cohen_kappa": "Cohen's kappa",
    "ece": "calibration error (ECE)",
}

_MORE_NAMES = {"f1": "F1", "share": "share called so"}

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})

CANDIDATE_NAMES = {
    "majority": "class shares alone",
    "logistic": "logistic regression",
    "boosting": "boosting",
    "network": "network",
    "blend": "blend",
}

PART_TITLES = {
    "validation": "Rows left out, each judged by models that had not seen it",
    "test": "Test rows that nothing learned from",
}


def one_line(text: str) -> str:
    r"""Return text that stays on its line and cannot steer a terminal.

    Example:
        >>> one_line("red\n\x1b[31m")
        'red\\n\\x1b[31m'
    """
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text
    )


def shortened(text: str, most: int) -> str:
    """Return a text of one line and at most `most` characters, its end cut off.

    Example:
        >>> shortened("a rather long name", 9)
        'a rather…'
    """
    line = one_line(text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"


def score_name(name: str) -> str:
    """Return how people call a score.

    Example:
        >>> score_name("auroc"), score_name("top_3")
        ('AUROC', 'top 3')
    """
    return SCORE_NAMES.get(name) or _MORE_NAMES.get(name, str(name).replace("_", " "))


def candidate_name(name: str) -> str:
    """Return how people call a candidate."""
    return CANDIDATE_NAMES.get(name, str(name).replace("_", " "))


def figure(value: float | None, n_decimals: int = 3) -> str:
    """Return a figure, with a true minus, or a dash where it is undefined.

    Example:
        >>> figure(0.81249), figure(-0.0312, 2), figure(None)
        ('0.812', '−0.03', '–')
    """
    if not isinstance(value, int | float):  # None, or what a template does not find
        return "–"
    text = f"{value:,.{n_decimals}f}"
    is_nothing = not any(mark in text for mark in "123456789")
    return text.lstrip("-") if is_nothing else text.replace("-", "−")


def percent(share: float | None, n_decimals: int = 1) -> str:
    """Return a share as a percentage, with a space that does not break.

    Example:
        >>> percent(0.8125).replace(NO_BREAK, " "), percent(None)
        ('81.2 %', '–')
    """
    return (
        f"{figure(100 * share, n_decimals)}{NO_BREAK}%" if isinstance(share, int | float) else "–"
    )


def span(score: Mapping[str, Any] | None, n_decimals: int = 3, *, is_share: bool = False) -> str:
    """Return the interval of a score, or nothing where it has none.

    Args:
        score: With "low" and "high".
        n_decimals: Of each end.
        is_share: Whether to write percentages.

    Example:
        >>> span({"low": 0.7849, "high": 0.8361})
        '0.785 to 0.836'
    """
    if not isinstance(score, Mapping) or score.get("low") is None or score.get("high") is None:
        return ""
    factor = 100 if is_share else 1
    low, high = (figure(factor * score[end], n_decimals) for end in ("low", "high"))
    return f"{low} to {high}{f'{NO_BREAK}%' if is_share else ''}"


def unbroken(text: str) -> str:
    """Return a sentence in which "p = 0.02" stays on one line.

    Example:
        >>> unbroken("better (p < 0.001)").replace(NO_BREAK, "_")
        'better (p_<_0.001)'
    """
    for sign in "=<":
        text = text.replace(f"p {sign} ", f"p{NO_BREAK}{sign}{NO_BREAK}")
    return text


def counted(n: int, noun: str) -> str:
    """Return a count with its noun.

    Example:
        >>> counted(1, "row"), counted(1200, "class")
        ('1 row', '1,200 classes')
    """
    if n == 1:
        return f"1 {noun}"
    number = f"{n:,}" if isinstance(n, int) else "–"  # as `figure` shows what is not known
    return f"{number} {noun}{'es' if noun.endswith(('s', 'x')) else 's'}"
