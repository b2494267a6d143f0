"""From probabilities to decisions: what a model file holds, applied to calibrated rows.

Probabilities (N, C) come in; out go class indices (N,), -1 where no class is named, or
sets of classes (N, C). `plan` makes a beginning from the recipe; `evaluate.decisions` fits
the rest on rows that the model did not learn from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError
from assay.rules import Rule

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
How = Literal["label", "threshold", "cost", "set", "abstain"]

NO_LABEL = -1
HOWS: tuple[How, ...] = ("label", "threshold", "cost", "set", "abstain")
"""Ways to decide: the likeliest class, or by what the model file holds."""

_LEAVE_OUT = "Train with this release, and with rows left out as split.folds does"
_COSTS = "Give {true: {decided: cost}}, or an array of (C, C) numbers"
_MOST_SHOWN = 40  # characters
_CLOSE = 1e-9  # between coverages that are meant to be equal


@dataclass(frozen=True)
class Threshold:
    """One class against the rest.

    Attributes:
        positive: Index of the class that is decided where its probability is `value` or
            more; elsewhere the likeliest of the others is.
        value: 0 or more; above 1 it is never decided.
    """

    positive: int
    value: float


@dataclass(frozen=True, eq=False)
class Sets:
    """Conformal sets: the least probability that puts a class into a row's set.

    Attributes:
        coverage: Share of rows whose set shall hold the true class, unless another is asked.
        grid: Coverages that floors are held for, (G,), rising.
        floors: (G, C), or (G, 1) where all classes share one.
    """

    coverage: float
    grid: Floats
    floors: Floats

    def floor(self, coverage: float | None = None) -> Floats:
        """Return the floors (C,) or (1,) of a coverage, or of the next higher one held.

        Raises:
            UserError: It is outside (0, 1), or beyond what is held.
        """
        wanted = check_coverage(self.coverage if coverage is None else coverage)
        place = int(np.searchsorted(self.grid, wanted - _CLOSE))
        if place == len(self.grid) or wanted < self.grid[0] - _CLOSE:
            raise UserError(
                f"the model holds sets for a coverage of {self.grid[0]:g} to {self.grid[-1]:g}",
                where=f"coverage = {wanted:g}",
                fix="Ask within it, or train with decide.coverage set to it",
            )
        floors: Floats = self.floors[place]
        return floors


@dataclass(frozen=True, eq=False)
class Decisions:
    """Everything that turns probabilities into decisions; what is None was not fitted.

    Attributes:
        classes: Names of the C classes, in the order of the probabilities.
        training: Shares of the classes that the probabilities count with, (C,); None
            where no others are expected.
        deployment: Shares to expect where the model is used, (C,), or None likewise.
        threshold: For one class against the rest.
        cost: What it costs, (C, C): rows the true class, columns the decided one.
        sets: Conformal sets.
        abstention: Who gets a label: "set", "probability" or "cost" with its limit.
    """

    classes: tuple[str, ...]
    training: Floats | None = None
    deployment: Floats | None = None
    threshold: Threshold | None = None
    cost: Floats | None = None
    sets: Sets | None = None
    abstention: Rule | None = None

    def adjusted(self, proba: Floats) -> Floats:
        """Return probabilities (N, C) where the classes have the expected shares.

        p_k new_k / old_k, made to sum to 1 (Saerens, Latinne & Decaestecker 2002, Neural
        Comput. 14:21, equation 2.4): what is seen within a class stays as it was, only
        how common the classes are changes.

        Example:
            >>> shares = np.array([0.5, 0.5]), np.array([0.9, 0.1])
            >>> rarer = Decisions(("no", "yes"), training=shares[0], deployment=shares[1])
            >>> rarer.adjusted(np.array([[0.5, 0.5], [0.1, 0.9]])).round(3).tolist()
            [[0.9, 0.1], [0.5, 0.5]]
        """
        proba = np.asarray(proba, dtype=np.float64)
        if proba.ndim != 2 or proba.shape[1] != len(self.classes):
            raise UserError(f"proba must be (N, {len(self.classes)}) (got shape {proba.shape})")
        if self.training is None or self.deployment is None:
            return proba
        weighed = proba * (self.deployment / self.training)
        shares: Floats = weighed / weighed.sum(axis=1, keepdims=True)
        return shares

    def decide(self, proba: Floats, how: How) -> Indices:
        """Return the class decided for each row, (N,), or `NO_LABEL`.

        Args:
            proba: Calibrated probabilities, (N, C), before `adjusted`.
            how: "label", the likeliest class; "threshold"; "cost"; "set", the class of a
                set that holds only one; "abstain", by the model's own rule.

        Raises:
            UserError: The model does not hold what is needed.
        """
        if how == "threshold":
            return self.by_threshold(proba)
        if how == "cost":
            return self.by_cost(proba)
        if how == "set":
            return self._only_class(proba)
        return self.abstain(proba) if how == "abstain" else self.label(proba)

    def label(self, proba: Floats) -> Indices:
        """Return the likeliest class of each row, (N,)."""
        likeliest: Indices = self.adjusted(proba).argmax(axis=1)
        return likeliest

    def by_threshold(self, proba: Floats) -> Indices:
        """Return the positive class where it reaches the threshold, else the likeliest other.

        Raises:
            UserError: No threshold is held.

        Example:
            >>> cautious = Decisions(("no", "yes"), threshold=Threshold(1, 0.2))
            >>> cautious.by_threshold(np.array([[0.75, 0.25], [0.9, 0.1]])).tolist()
            [1, 0]
        """
        if self.threshold is None:
            raise _lacking("threshold", "Train with decide.threshold and decide.positive")
        positive, proba = self.threshold.positive, self.adjusted(proba)
        others = proba.copy()
        others[:, positive] = -1.0
        is_positive = proba[:, positive] >= self.threshold.value
        decided: Indices = np.where(is_positive, positive, others.argmax(axis=1))
        return decided

    def by_cost(self, proba: Floats) -> Indices:
        """Return the decision of least expected cost, (N,); of equal ones the first class.

        Raises:
            UserError: No cost matrix is held.

        Example:
            >>> dear = Decisions(("ill", "well"), cost=np.array([[0.0, 9.0], [1.0, 0.0]]))
            >>> dear.by_cost(np.array([[0.2, 0.8], [0.05, 0.95]])).tolist()
            [0, 1]
        """
        decided: Indices = self.expected_cost(proba).argmin(axis=1)
        return decided

    def expected_cost(self, proba: Floats) -> Floats:
        """Return what each decision is expected to cost, (N, C): p @ cost (Elkan 2001).

        Raises:
            UserError: No cost matrix is held.
        """
        if self.cost is None:
            raise _lacking("cost matrix", "Give costs, or train with decide.cost")
        expected: Floats = self.adjusted(proba) @ self.cost
        return expected

    def in_set(self, proba: Floats, *, coverage: float | None = None) -> NDArray[np.bool_]:
        """Return which classes are in the set of each row, (N, C); a set may be empty.

        Args:
            proba: Calibrated probabilities, (N, C).
            coverage: Share of rows whose set shall hold the true class; None for the one
                of the recipe. Between two that are held the higher one is taken.

        Raises:
            UserError: No sets are held, or none of that coverage.
        """
        if self.sets is None:
            raise _lacking("conformal sets", _LEAVE_OUT)
        is_in: NDArray[np.bool_] = self.adjusted(proba) >= self.sets.floor(coverage)
        return is_in

    def abstain(self, proba: Floats) -> Indices:
        """Return a class for the rows that the rule of abstention gives one, (N,).

        "set": where the set is one class. "probability": the likeliest class, where it
        has at least the limit (Chow 1970). "cost": the cheapest decision, where it is
        expected to cost at most the limit.

        Raises:
            UserError: The model holds no rule, or not what the rule needs.
        """
        if self.abstention is None:
            raise _lacking("rule for giving no label", _LEAVE_OUT)
        limit = self.abstention.limit
        if self.abstention.name == "set" or limit is None:
            return self._only_class(proba)
        if self.abstention.name == "cost":
            expected = self.expected_cost(proba)
            return _kept(expected.argmin(axis=1), expected.min(axis=1) <= limit)
        adjusted = self.adjusted(proba)
        return _kept(adjusted.argmax(axis=1), adjusted.max(axis=1) >= limit)

    def with_cost(self, cost: Floats) -> "Decisions":
        """Return the same with another cost matrix, checked as `cost_matrix` does."""
        return replace(self, cost=check_costs(cost, self.classes, where="cost"))

    def with_coverage(self, coverage: float) -> "Decisions":
        """Return the same with sets of another coverage.

        Raises:
            UserError: It is outside (0, 1), or the model holds no sets for it.
        """
        check_coverage(coverage)
        if self.sets is None:
            raise _lacking("conformal sets", _LEAVE_OUT)
        self.sets.floor(coverage)
        return replace(self, sets=replace(self.sets, coverage=coverage))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; what is not held is absent."""
        data: dict[str, Any] = {"classes": list(self.classes)}
        if self.training is not None and self.deployment is not None:
            data["priors"] = {
                "training": self.training.tolist(),
                "deployment": self.deployment.tolist(),
            }
        if self.threshold is not None:
            data["threshold"] = {
                "positive": self.threshold.positive,
                "value": self.threshold.value,
            }
        if self.cost is not None:
            data["cost"] = self.cost.tolist()
        if self.sets is not None:
            data["sets"] = {
                "coverage": self.sets.coverage,
                "grid": self.sets.grid.tolist(),
                "floors": self.sets.floors.tolist(),
            }
        if self.abstention is not None:
            data["abstain"] = {"rule": self.abstention.name, "limit": self.abstention.limit}
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Decisions":
        """Rebuild from `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: It is not what `to_dict` returns.
        """
        classes = tuple(str(name) for name in data["classes"])
        n_classes = len(classes)
        priors, cost = data.get("priors", {}), data.get("cost")
        shares = {name: _numbers(priors[name], (n_classes,)) for name in sorted(priors)}
        if shares and not all((share > 0).all() for share in shares.values()):
            raise ValueError("shares of the classes that are not above 0")
        return cls(
            classes,
            **shares,
            threshold=_threshold(data["threshold"], n_classes) if "threshold" in data else None,
            cost=None if cost is None else _numbers(cost, (n_classes, n_classes)),
            sets=_sets(data["sets"], n_classes) if "sets" in data else None,
            abstention=_abstention(data["abstain"]) if "abstain" in data else None,
        )

    def _only_class(self, proba: Floats) -> Indices:
        is_in = self.in_set(proba)
        return _kept(is_in.argmax(axis=1), is_in.sum(axis=1) == 1)


def check_coverage(coverage: object) -> float:
    """Return a coverage that can be asked for.

    Raises:
        UserError: It is no number, or outside (0, 1).
    """
    if isinstance(coverage, bool) or not isinstance(coverage, int | float | np.number):
        raise UserError(
            "no number", where=f"coverage = {coverage!r}", fix="Give a share such as 0.9"
        )
    if not 0.0 < float(coverage) < 1.0:
        raise UserError(
            "outside (0, 1)", where=f"coverage = {coverage:g}", fix="Give a share such as 0.9"
        )
    return float(coverage)


def check_costs(matrix: Floats, classes: Sequence[str], *, where: str) -> Floats:
    """Return a cost matrix, (C, C), that decisions can be taken by.

    Raises:
        UserError: Another shape, a cost that is no finite number, none above 0, or
            decisions that all cost the same.
    """
    try:
        matrix = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(
            f"{str(matrix)[:_MOST_SHOWN]!r} is no cost matrix", where=where, fix=_COSTS
        ) from None
    if matrix.shape != (len(classes), len(classes)):
        raise UserError(
            f"the cost matrix has shape {matrix.shape}, the target {len(classes)} classes",
            where=where,
        )
    if not np.isfinite(matrix).all():
        raise UserError("the cost matrix holds what is no finite number", where=where)
    if matrix.max() <= 0.0:
        raise UserError(
            "no cost is above 0", where=where, fix="Costs are losses; write gains as negative ones"
        )
    if np.ptp(matrix, axis=1).max() == 0.0:
        raise UserError("every decision costs the same, so there is nothing to decide", where=where)
    return matrix


def _kept(class_idx: Indices, has_label: NDArray[np.bool_]) -> Indices:
    kept: Indices = np.where(has_label, class_idx, NO_LABEL)
    return kept


def _lacking(what: str, fix: str) -> UserError:
    return UserError(f"the model holds no {what}", fix=fix)


def _threshold(data: Mapping[str, Any], n_classes: int) -> Threshold:
    positive = data["positive"]
    if not (isinstance(positive, int) and 0 <= positive < n_classes):
        raise ValueError(f"a threshold for class {positive!r} of {n_classes}")
    return Threshold(positive, float(_numbers(data["value"], ())))


def _sets(data: Mapping[str, Any], n_classes: int) -> Sets:
    grid, floors = _numbers(data["grid"]), _numbers(data["floors"])
    is_grid = grid.ndim == 1 and len(grid) > 0 and bool((np.diff(grid) > 0).all())
    if not is_grid or floors.shape not in ((len(grid), n_classes), (len(grid), 1)):
        raise ValueError(f"sets of shapes {grid.shape} and {floors.shape}")
    sets = Sets(float(_numbers(data["coverage"], ())), grid, floors)
    sets.floor()
    return sets


def _abstention(data: Mapping[str, Any]) -> Rule:
    if data["rule"] == "set":
        return Rule("set")
    if data["rule"] not in ("probability", "cost"):
        raise ValueError(f"a rule called {data['rule']!r}")
    return Rule(data["rule"], float(_numbers(data["limit"], ())))


def _numbers(data: object, shape: tuple[int, ...] | None = None) -> Floats:
    numbers = np.array(data, dtype=np.float64)
    if shape is not None and numbers.shape != shape:
        raise ValueError(f"numbers of shape {numbers.shape}, not {shape}")
    if not np.isfinite(numbers).all():
        raise ValueError("numbers that are not finite")
    return numbers
