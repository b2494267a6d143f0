"""Ask models about hostile cells through every door, and about typed rows in every batch.

    python benchmarks/torture/values.py [--share 0.05] [--seed 0] [--out FILE]

Promised: probabilities that are finite, in [0, 1] and sum to 1 within 1e-6, equal within
1e-6 whatever the batch and the order of rows; or a refusal. Nothing else, and no warning.
"""

import functools
import logging
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims

from attacks.values import (
    DOORS,
    NAMES,
    check_batches,
    check_door,
    check_encoded,
    columns_of,
    frames_of,
    mixed_model,
    numeric_model,
)

N_EXAMPLES = 500
NUMBERS = ("x0", "x1", "x2")
MOST_TOLD = 5


def tried(
    claims: Claims, promise: str, law: Callable[[Any], object], tables: SearchStrategy[Any]
) -> None:
    """Try a law on examples, count what comes out, and tell the first broken ones."""
    found: Counter[str] = Counter()

    @seed(claims.seed)
    @settings(
        max_examples=claims.part(N_EXAMPLES),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(tables)
    def check(table: object) -> None:
        try:
            found[str(law(table))] += 1
        except BaseException as error:  # also what Polars panics by
            found["broken"] += 1
            if found["broken"] <= MOST_TOLD:
                print(f"    {type(error).__name__}: {error!s:.300}\n    {repr(table)[:2000]}")

    check()
    n_tried = sum(found.values())
    names = {"True": "answered", "False": "refused", "None": "no_table"}
    counts = {names[name]: n for name, n in sorted(found.items()) if name in names}
    if set(counts) == {"no_table"}:  # of a law that returns nothing
        counts = {}
    claims.tell(promise, kept=n_tried - found["broken"], of=n_tried, **counts)


def main() -> int:
    claims = Claims("values", "Ask models about hostile cells through every door.")
    logging.getLogger("assay").setLevel(logging.CRITICAL)
    candidates = {"model.candidates": ["logistic", "boosting"]}
    models = {
        "all kinds": (mixed_model(), NAMES),
        "numbers": (numeric_model(), NUMBERS),
        "a blend": (mixed_model(**candidates), NAMES),
    }
    for kind, (model, names) in models.items():
        for door in DOORS if kind != "a blend" else ("dict", "csv"):
            law = functools.partial(check_door, model, door)
            tried(claims, f"any cell by {door}, {kind}", law, columns_of(names))
        law = functools.partial(check_batches, model)
        tried(claims, f"any batch and order, {kind}", law, frames_of(names))
        law = functools.partial(check_encoded, model.marking_invalid()._contents.predictor)
        tried(claims, f"encoded arrays are in range, {kind}", law, frames_of(names))
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
