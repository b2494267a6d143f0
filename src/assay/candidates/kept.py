"""Finished fits as plain arrays, so that a training that goes on need not fit them again.

Comes in: the fits of all folds. Goes out: arrays and plain data, and the same fits.
"""

from collections.abc import Mapping

import numpy as np

from assay.candidates.boosted import BoostedFit
from assay.candidates.boosting import Boosting
from assay.candidates.features import Features
from assay.candidates.grown import Grown
from assay.candidates.inputs import HotLevels, Scaling
from assay.candidates.logistic import Logistic, LogisticFit
from assay.candidates.rivals import Fits
from assay.errors import InternalError
from assay.state_file import State, UnfitStateError

_MALFORMED = (KeyError, ValueError, TypeError, IndexError)


def state_of_fits(name: str, fits: Fits) -> State:
    """Return the fits of a candidate as arrays and plain data."""
    if isinstance(fits, Logistic):
        of_fits = [_logistic_arrays(fit) for fit in fits.fits]
    elif isinstance(fits, Boosting):
        of_fits = [_boosted_arrays(fit) for fit in fits.fits]
    else:
        raise InternalError(f"fits of {name} cannot be kept")
    arrays = {
        f"{idx}.{key}": array for idx, own in enumerate(of_fits) for key, array in own.items()
    }
    document = {"n_fits": len(of_fits)}
    if isinstance(fits, Boosting) and fits.ended_after is not None:
        document["ended_after"] = fits.ended_after
    return arrays, document


def fits_of_state(
    state: State, name: str, features: Features, *, n_fits: int, n_levels: list[int]
) -> Fits:
    """Rebuild from `state_of_fits`.

    Args:
        state: As returned there.
        name: "logistic" or "boosting".
        features: What the fits see.
        n_fits: M.
        n_levels: Levels of each column of codes.

    Raises:
        UserError: The state does not fit this training.
    """
    arrays, document = state
    try:
        if document["n_fits"] != n_fits:
            raise ValueError(f"{document['n_fits']} fits instead of {n_fits}")
        of_fits = [_of_fit(arrays, f"{idx}.") for idx in range(n_fits)]
        if name == "logistic":
            fits = tuple(_logistic_fit(own) for own in of_fits)
            return Logistic(features, HotLevels.of(n_levels), fits)
        boosted = tuple(_boosted_fit(own, features) for own in of_fits)
        return Boosting(features, boosted, document.get("ended_after"))
    except _MALFORMED as error:
        raise UnfitStateError(
            f"what was kept of {name} does not fit this training ({error})",
            where="the folder of the run",
            fix=f"Remove {name}.state from it to do its part of the work again",
        ) from None


def _of_fit(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }


def _logistic_arrays(fit: LogisticFit) -> dict[str, np.ndarray]:
    return {
        "center": fit.scaling.center,
        "factor": fit.scaling.factor,
        "weight": fit.weight,
        "level_weight": fit.level_weight,
        "bias": fit.bias,
        "is_met": fit.is_met,
        "n_rows": np.array(fit.n_rows),
    }


def _logistic_fit(arrays: Mapping[str, np.ndarray]) -> LogisticFit:
    return LogisticFit(
        Scaling(arrays["center"], arrays["factor"]),
        arrays["weight"],
        arrays["level_weight"],
        arrays["bias"],
        arrays["is_met"],
        int(arrays["n_rows"]),
    )


def _boosted_arrays(fit: BoostedFit) -> dict[str, np.ndarray]:
    grown = {} if fit.grown is None else fit.grown.to_arrays()
    return {"is_met": fit.is_met, "n_rows": np.array(fit.n_rows), **grown}


def _boosted_fit(arrays: Mapping[str, np.ndarray], features: Features) -> BoostedFit:
    grown = None
    if "base" in arrays:
        grown = Grown.from_arrays(arrays, n_columns=features.n_columns)
    return BoostedFit(grown, arrays["is_met"], int(arrays["n_rows"]))
