"""The fits of a training: what they have in common, and that as plain arrays.

Comes in: a population that is ready to be trained; or arrays, in a process that knows
neither the population nor PyTorch. Goes out: the fits of one model after the other, the
same in both.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.candidates import boosting, growth, logistic
from assay.candidates.features import TrainingFeatures
from assay.candidates.folds import Folds
from assay.candidates.kept import fits_of_state
from assay.candidates.rivals import Fits
from assay.encode.arrays import Arrays
from assay.state_file import State

if TYPE_CHECKING:  # PyTorch
    from assay.training.setup import Setup


@dataclass(frozen=True)
class Work:
    """What the fits of a training have in common.

    Attributes:
        training: What they see.
        folds: Who is fitted on what.
        seed: Of the recipe.
    """

    training: TrainingFeatures
    folds: Folds
    seed: int

    @classmethod
    def of(cls, setup: "Setup", folds: Folds, seed: int) -> "Work":
        """Take the rows of a population."""
        return cls(TrainingFeatures.of_setup(setup, folds), folds, seed)

    def most_rows(self, name: str) -> int:
        """Return how many rows a fit of this name learns from at the most."""
        features = self.training.features
        if name == "boosting":
            return growth.most_rows(features.n_columns)
        return logistic.most_rows(logistic.n_inputs(features, self.training.n_levels))

    def fit(
        self,
        name: str,
        *,
        most_rows: int,
        max_iterations: int | None,
        hands: boosting.Hands | None = None,
    ) -> Fits:
        """Fit a model on every fold; see `fit_boosting`."""
        training, folds = self.training, self.folds
        if name == "logistic":
            return logistic.fit_logistic(
                training, folds, n_levels=training.n_levels, most_rows=most_rows
            )
        return boosting.fit_boosting(
            training,
            folds,
            seed=self.seed,
            most_rows=most_rows,
            max_iterations=max_iterations,
            hands=hands,
        )

    def fits_of(self, name: str, state: State) -> Fits:
        """Return fits that were kept.

        Raises:
            UserError: They do not fit this training.
        """
        training, n_fits = self.training, self.folds.n_fits
        return fits_of_state(
            state, name, training.features, n_fits=n_fits, n_levels=training.n_levels
        )

    def to_state(self) -> State:
        """Return arrays and plain data; texts, which need PyTorch, are not among them."""
        rows, folds = self.training.arrays, self.folds
        arrays = {
            "numeric": rows.numeric,
            "codes": rows.codes,
            "parts": self.training.parts,
            "y": folds.y,
            "n_train": np.array([len(own) for own in folds.train]),
            "train": np.concatenate(folds.train),
            "is_left_out": folds.is_left_out,
            "member_repeat": folds.member_repeat,
        }
        optional = {"weight": folds.weight, "class_weight": folds.class_weight}
        arrays |= {name: array for name, array in optional.items() if array is not None}
        return arrays, {
            "n_classes": folds.n_classes,
            "n_levels": self.training.n_levels,
            "repeat": folds.repeat,
            "members": folds.members,
            "seed": self.seed,
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], document: dict[str, Any]) -> "Work":
        """Rebuild from `to_state`."""
        no_text = np.zeros((len(arrays["y"]), 0), dtype=np.uint16)
        folds = Folds(
            y=arrays["y"],
            n_classes=document["n_classes"],
            train=tuple(np.split(arrays["train"], np.cumsum(arrays["n_train"])[:-1])),
            is_left_out=arrays["is_left_out"],
            repeat=tuple(document["repeat"]),
            members=tuple(tuple(own) for own in document["members"]),
            member_repeat=arrays["member_repeat"],
            weight=arrays.get("weight"),
            class_weight=arrays.get("class_weight"),
        )
        rows = Arrays(arrays["numeric"], arrays["codes"], no_text)
        parts = arrays["parts"]
        return cls(
            TrainingFeatures(rows, document["n_levels"], folds, parts=parts),
            folds,
            document["seed"],
        )
