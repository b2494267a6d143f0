"""What budgets decided, kept for a training that is resumed.

Comes in: decisions as they are taken. Goes out: the same in a later attempt. A clock and
the memory of the moment decide what fits into a budget; asked anew after a crash they
might decide otherwise, and what was trained until then would fit no more.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from assay.errors import UserError
from assay.training.checkpoint import NAME, Keeper
from assay.training.memory import Fitted

Decision = TypeVar("Decision", "LeftOut", "TimePlan", Fitted)


@dataclass(frozen=True)
class LeftOut:
    """Simpler models that a budget does not allow.

    Attributes:
        names: Of the models.
        option: Of the budget; empty where nothing is left out.
        max_iterations: That boosting may have; None for as many as serve.
        most_rows: That a fit of boosting may learn from; None for as many as serve.
    """

    names: tuple[str, ...] = ()
    option: str = ""
    max_iterations: int | None = None
    most_rows: int | None = None


@dataclass(frozen=True)
class TimePlan:
    """How a budget of time was divided.

    Attributes:
        n_members: Networks that are trained.
        n_validated: Rows that each is validated and judged on, at the most.
        n_learnt: Rows learnt from that each is scored on, at the most.
        bootstrap: Resamples.
        reserve_s: Seconds for all that follows the training.
        is_pressed: Whether time does not suffice for all epochs.
        told: What a person wants to know of it.
    """

    n_members: int
    n_validated: int
    n_learnt: int
    bootstrap: int
    reserve_s: float
    is_pressed: bool
    told: str


class Decisions:
    """The decisions of a training and of its earlier attempts.

    Args:
        keeper: Where they are kept; None where none depends on the moment.
    """

    def __init__(self, keeper: Keeper | None) -> None:
        self._keeper = keeper
        self._is_begun: bool | None = None

    def has_begun(self) -> bool:
        """Whether an earlier attempt has trained: it did so by a plan of time."""
        if self._is_begun is None:
            self._is_begun = self._keeper is not None and self._keeper.read(NAME) is not None
        return self._is_begun

    def keep(self, what: str, decision: Decision) -> Decision:
        """Keep a decision, and return it."""
        if self._keeper is not None:
            self._keeper.write(f"budget-{what}", {}, asdict(decision))
        return decision

    def recall(self, what: str, kind: type[Decision]) -> Decision | None:
        """Return the decision of an earlier attempt, or None.

        Raises:
            UserError: What was kept is no such decision.
        """
        state = None if self._keeper is None else self._keeper.read(f"budget-{what}")
        if state is None:
            return None
        document: dict[str, Any] = state[1]
        if set(document) != {field.name for field in fields(kind)}:
            raise UserError(
                f"it is no decision on {what}: {sorted(document)}",
                where=f"checkpoint 'budget-{what}'",
                fix="Begin anew",
            )
        return kind(**document)
