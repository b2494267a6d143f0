"""The verdict in words: comparisons in, a sentence or two that a person can quote out."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.evaluate.compare import Comparison
from assay.options import Metric

_NAMES = {
    "majority": "always giving the class shares",
    "logistic": "logistic regression",
    "boosting": "boosting",
    "network": "the network",
    "blend": "the blend",
}
_METRICS: dict[Metric, str] = {
    "log_loss": "log loss",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "matthews": "Matthews correlation",
    "auroc": "AUROC",
    "average_precision": "average precision",
}
_PHRASES = {
    "better": "better than",
    "worse": "worse than",
    "not distinguishable": "not distinguishable from",
}
_FEW_ROWS = 100  # of fewer a weak signal is missed as a rule; see `signal`


@dataclass(frozen=True)
class Told:
    """A comparison and what its text needs.

    Attributes:
        first: Name of the one that it is about.
        second: Name of the other.
        metric: What they are compared by.
        values: The metric of the two; None where it is undefined.
        found: The difference.
        conclusion: "better", "worse" or "not distinguishable": the first than the second.
    """

    first: str
    second: str
    metric: Metric
    values: tuple[float | None, ...]
    found: Comparison
    conclusion: str


def verdict_text(
    told: Sequence[Told],
    by_loss: Sequence[Told],
    *,
    has_signal: bool,
    p_value: float | None,
    n_rows: int,
) -> str:
    """Return one to three sentences.

    Args:
        told: What ships compared with the class shares, then with others.
        by_loss: The same pairs by log loss.
        has_signal: Whether the columns predict the target.
        p_value: Of labels dealt at random.
        n_rows: Rows that are judged, or groups of them: of few, only a strong signal shows.
    """
    shares, others, loss = told[0], told[1:], by_loss[0]
    if p_value is None:
        return f"Too few rows to tell whether the columns predict this target. {_against(loss)}."
    if not has_signal:
        few = f"; {n_rows} rows could show only a strong one" if n_rows < _FEW_ROWS else ""
        told_of = f"{_against(loss)} ({p_text(p_value)})"
        return f"No signal: the columns do not predict this target{few}. {told_of}."
    if loss.conclusion != "better":
        faint = f"The predictions follow the target ({p_text(p_value)}), but "
        faint += _lowered(pair_text(loss))
        also = _by_log_loss(others, by_loss[1:])
        return f"{faint} {_sentence(others)}{also}" if others else faint
    if not others:
        alone = [loss] if shares.metric == loss.metric else [loss, shares]
        return " ".join(pair_text(one) for one in alone)
    return f"{_sentence(others)} {_beside_shares(shares, others)}{_by_log_loss(told, by_loss)}"


def _beside_shares(shares: Told, others: Sequence[Told]) -> str:
    if shares.conclusion != "better":
        return pair_text(shares)
    chance = p_text(shares.found.p_value)
    if all(one.conclusion == "not distinguishable" for one in others):
        return f"{_against(shares, whose='Its')} ({chance})."
    reached = _value(shares.values[1], shares)
    return f"{_raised(_name('majority'))} reaches {reached} ({chance})."


def _by_log_loss(told: Sequence[Told], by_loss: Sequence[Told]) -> str:
    """Return what log loss concludes of the same pairs, after another metric; else nothing."""
    if not told or told[0].metric == by_loss[0].metric:
        return ""
    pairs = zip(told, by_loss, strict=True)
    other = [loss for own, loss in pairs if own.conclusion != loss.conclusion]
    if not other:
        return " Log loss concludes the same."
    found = f"By log loss ({_value(other[0].values[0], other[0])}) it is"
    return f" {_sentence(other, subject=found)}"


def pair_text(told: Told) -> str:
    """Return one comparison as a sentence, such as "Boosting is worse than the blend (…)."."""
    return _sentence([told], is_full=True)


def p_text(p_value: float | None) -> str:
    """Return a p-value as it is quoted.

    Example:
        >>> p_text(0.412), p_text(0.0494), p_text(0.0004), p_text(None)
        ('p = 0.41', 'p = 0.049', 'p < 0.001', 'p unknown')
    """
    if p_value is None:
        return "p unknown"
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.0995 else f"p = {p_value:.2f}"


def _sentence(told: Sequence[Told], *, is_full: bool = False, subject: str = "") -> str:
    """Return "The blend is better than A (…) and B (…), and not distinguishable from C (…)."."""
    clauses = []
    has_told = bool(subject)  # which names the metric and the first value
    for conclusion, phrase in _PHRASES.items():
        group = [one for one in told if one.conclusion == conclusion]
        named = []
        for one in group:
            if conclusion == "not distinguishable" and not is_full:
                figures = p_text(one.found.p_value)
            else:
                figures, has_told = _figures(one, is_first=not has_told), True
            named.append(f"{_name(one.second)} ({figures})")
        if named:
            clauses.append(f"{phrase} {_joined(named)}")
    link = " and " if len(told) <= 2 else ", and "
    subject = subject or f"{_raised(_name(told[0].first))} is"
    return f"{subject} {link.join(clauses)}."


def _figures(told: Told, *, is_first: bool = True) -> str:
    """Return "log loss 0.412 against 0.437, p = 0.003", or "against 0.437, p = 0.003"."""
    first, second = (_value(value, told) for value in told.values)
    named = f"{_METRICS[told.metric]} {first} " if is_first else ""
    return f"{named}against {second}, {p_text(told.found.p_value)}"


def _against(told: Told, *, whose: str = "") -> str:
    """Return "The log loss of the blend is 0.412, that of always giving … 0.437"."""
    first, second = (_value(value, told) for value in told.values)
    metric = _METRICS[told.metric]
    subject = f"{whose} {metric}" if whose else f"The {metric} of {_name(told.first)}"
    return f"{subject} is {first}, that of {_name(told.second)} {second}"


def _value(value: float | None, told: Told) -> str:
    """Return a score to three digits, or to as many more as tell the two apart."""
    if value is None:
        return "undefined"
    first, second = told.values
    digits = 3
    if told.conclusion != "not distinguishable" and first is not None and second is not None:
        while digits < 6 and f"{first:.{digits}f}" == f"{second:.{digits}f}":
            digits += 1
    return f"{value:.{digits}f}"


def _name(name: str) -> str:
    return _NAMES.get(name, name)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _raised(text: str) -> str:
    return text[0].upper() + text[1:]


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]
