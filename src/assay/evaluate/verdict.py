"""The verdict: what ships, and what may be said of it in a sentence.

Comes in: honest probabilities of every candidate for the same rows. Goes out: the choice
by `model.prefer`, the comparisons that matter, whether there is a signal at all, and text.

What is controlled. Each comparison errs in at most 5 % of tables by itself (at the usual
confidence of 0.95), and in about 1 % as measured (see `compare`): the corrected test is
careful. So the three or four comparisons of a verdict together stay below 5 % (Bonferroni)
without a further correction, and every p-value agrees with the interval beside it.

The class shares are no trained model: against them luck in training cannot speak for the
other side, and the paired test of rows is used. On 300 tables of noise each (see `signal`)
it never claimed that what ships is better; the folds would find less where there is more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from assay.candidates.blend import average_proba
from assay.errors import UserError
from assay.evaluate.compare import IS_LOSS, Comparison, Ints, compare, compare_metric, score
from assay.evaluate.signal import signal_p_value
from assay.evaluate.telling import Told, pair_text, verdict_text
from assay.metrics import Floats, Indices, row_log_loss
from assay.options import Metric, Prefer
from assay.recipe import Recipe

MAJORITY, BLEND = "majority", "blend"

Conclusion = Literal["better", "worse", "not distinguishable"]


@dataclass(frozen=True)
class Verdict:
    """Who is better than whom, and what ships.

    Attributes:
        text: One to three sentences to quote.
        has_signal: Whether the columns predict the target.
        signal_p_value: Of labels dealt at random; None where it cannot be told.
        shipped: Name of the candidate that ships.
        prefer: What was asked for.
        metric: What candidates are compared by.
        comparisons: Plain data of each, the ones with what ships first: first and second,
            names of candidates; metric; difference, the first minus the second, {estimate,
            low, high}; p_value; conclusion, of the first; text.
    """

    text: str
    has_signal: bool
    signal_p_value: float | None
    shipped: str
    prefer: Prefer
    metric: Metric
    comparisons: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, None where a figure is undefined."""
        return {
            "text": self.text,
            "has_signal": self.has_signal,
            "signal_p_value": self.signal_p_value,
            "shipped": self.shipped,
            "prefer": self.prefer,
            "metric": self.metric,
            "comparisons": list(self.comparisons),
        }


def reach_verdict(
    proba: Mapping[str, Floats],
    y: Indices,
    fold: Ints,
    recipe: Recipe,
    *,
    test_per_train: float,
    groups: Indices | None = None,
    alone: str | None = None,
) -> Verdict:
    """Choose what ships and compare it with the others.

    Args:
        proba: Calibrated out-of-fold probabilities by candidate, simplest first: (R, N, C),
            NaN where a repeat does not judge a row, or averaged over repeats, (N, C).
            Repeats are averaged, as the finished model averages its members. The "majority"
            is not looked at: its part is taken by `class_shares`. A blend of one part
            should not be among them.
        y: True class indices, (N,).
        fold: Fold of each row in each repeat, (R, N); -1 where it is not judged.
        recipe: `model.prefer`, `evaluate.metric`, `evaluate.confidence` and the seed.
        test_per_train: As in `compare`.
        groups: Group of each row, (N,), or None.
        alone: The only part of the blend, if it has one: it is preferred as the blend is.

    Raises:
        UserError: `model.prefer` names a candidate that there is not.
    """
    fold = np.atleast_2d(fold)
    averages = {name: average_proba(one) for name, one in proba.items() if name != MAJORITY}
    rows = np.logical_and.reduce([np.isfinite(one).all(axis=1) for one in averages.values()])
    rows &= (fold >= 0).any(axis=0)
    judged = _Candidates(
        {name: one[rows] for name, one in averages.items()},
        np.asarray(y)[rows],
        fold[:, rows],
        recipe,
        test_per_train,
        None if groups is None else groups[rows],
    )
    prefer, metric = recipe.model.prefer, recipe.evaluate.metric
    contenders = list(averages)
    shipped = judged.choose(contenders, prefer, alone or BLEND)
    p_value = judged.signal(shipped)
    has_signal = p_value is not None and p_value <= judged.alpha
    pairs = judged.pairs(contenders, shipped)
    wanted: list[Metric] = ["log_loss"] if metric == "log_loss" else ["log_loss", metric]
    told = {(*pair, name): judged.told(*pair, name) for pair in pairs for name in wanted}
    own = [pair for pair in pairs if pair[0] == shipped]
    text = verdict_text(
        [told[*pair, metric] for pair in own],
        [told[*pair, "log_loss"] for pair in own],
        has_signal=has_signal,
        p_value=p_value,
        n_rows=judged.n_units,
    )
    documents = tuple(_document(one) for one in told.values())
    return Verdict(text, has_signal, p_value, shipped, prefer, metric, documents)


def class_shares(y: Indices, n_classes: int) -> Floats:
    """Return what always giving the classes' shares says of N rows, (N, C).

    The shares are those of the very rows, the best that no column can beat by chance.

    Example:
        >>> class_shares(np.array([0, 1, 1, 1]), 2)[0].tolist()
        [0.25, 0.75]
    """
    shares = np.bincount(y, minlength=n_classes) / max(len(y), 1)
    return np.tile(shares, (len(y), 1))


class _Candidates:
    """Candidates on rows that all of them judge."""

    def __init__(
        self,
        proba: dict[str, Floats],
        y: Indices,
        fold: Ints,
        recipe: Recipe,
        test_per_train: float,
        groups: Indices | None,
    ) -> None:
        n_classes = next(iter(proba.values())).shape[1]
        self._proba = {MAJORITY: class_shares(y, n_classes), **proba}
        self._loss = {name: row_log_loss(y, one) for name, one in self._proba.items()}
        self._y, self._fold, self._groups = y, fold, groups
        self._one_fold = np.zeros((1, len(y)), dtype=np.int64)
        self._seed, self._confidence = recipe.seed, recipe.evaluate.confidence
        self._test_per_train = test_per_train
        self.alpha = 1 - self._confidence
        self.n_units = len(y) if groups is None else len(np.unique(groups))

    def mean_loss(self, name: str) -> float:
        return float(self._loss[name].mean()) if len(self._y) else 0.0

    def choose(self, names: Sequence[str], prefer: Prefer, blend: str) -> str:
        """Return what ships; of equals the simplest.

        The candidate `blend`, which may be a part that is alone in it, ships unless another is
        better by more than a standard error: left-out rows are judged by single fits, and what
        ships is their average, from which the networks gain most.
        """
        if prefer in ("network", "boosting", "logistic"):
            if prefer in names:
                return prefer
            raise UserError(
                f"model.prefer = {prefer!r}, but there is no such candidate among "
                f"{', '.join(names)}",
                where="option model.prefer",
                fix="Prefer another, or let it be trained",
            )
        losses = np.array([self.mean_loss(name) for name in names])
        best = names[int(np.flatnonzero(losses <= losses.min() + 1e-12)[0])]
        if prefer == "accuracy":
            return blend if blend in names and self._is_within(blend, best) else best
        return next(name for name in names if name == best or self._is_within(name, best))

    def _is_within(self, name: str, best: str) -> bool:
        """Whether the paired difference to the best is at most its standard error.

        The one-standard-error rule of Breiman, Friedman, Olshen & Stone 1984
        (Classification and Regression Trees, 3.4.3), with the error of the difference.
        """
        found = self._compared(name, best, "log_loss")
        if found.estimate is None or found.standard_error is None:
            return False
        return found.estimate <= found.standard_error

    def signal(self, name: str) -> float | None:
        """Return the p-value of labels dealt at random."""
        if not len(self._y):
            return None
        first = (self._fold >= 0).argmax(axis=0)  # the first repeat that judges the row
        fold = self._fold[first, np.arange(len(self._y))]
        return signal_p_value(self._y, self._proba[name], fold, groups=self._groups)

    def pairs(self, names: Sequence[str], shipped: str) -> list[tuple[str, str]]:
        """Return who is compared with whom: what ships with all others, then the network.

        All others, so that a simple part that ships tells whether the network was worth it.
        """
        own = [(shipped, name) for name in (MAJORITY, *names) if name != shipped]
        others = [("network", name) for name in ("boosting", "logistic") if name in names]
        if "network" not in names or shipped == "network":
            return own
        return own + [pair for pair in others if pair[::-1] not in own]

    def told(self, first: str, second: str, metric: Metric) -> Told:
        """Return a comparison with all that its text needs."""
        found = self._compared(first, second, metric)
        values = tuple(self._score(metric, name) for name in (first, second))
        return Told(first, second, metric, values, found, self._conclusion(found, metric))

    def _conclusion(self, found: Comparison, metric: Metric) -> Conclusion:
        if found.estimate is None or found.p_value is None or found.p_value >= self.alpha:
            return "not distinguishable"
        return "better" if (found.estimate < 0) == (metric in IS_LOSS) else "worse"

    def _compared(self, first: str, second: str, metric: Metric) -> Comparison:
        fold = self._one_fold if second == MAJORITY else self._fold
        if metric == "log_loss":
            return compare(
                self._loss[first],
                self._loss[second],
                fold,
                test_per_train=self._test_per_train,
                confidence=self._confidence,
                groups=self._groups,
            )
        return compare_metric(
            metric,
            self._y,
            self._proba[first],
            self._proba[second],
            fold,
            test_per_train=self._test_per_train,
            confidence=self._confidence,
            seed=self._seed,
            groups=self._groups,
        )

    def _score(self, metric: Metric, name: str) -> float | None:
        if not len(self._y):
            return None
        value = score(metric, self._y, self._proba[name])
        return None if np.isnan(value) else value


def _document(told: Told) -> dict[str, Any]:
    return {
        "first": told.first,
        "second": told.second,
        "metric": told.metric,
        "difference": told.found.difference.to_dict(),
        "p_value": told.found.p_value,
        "conclusion": told.conclusion,
        "text": pair_text(told),
    }
