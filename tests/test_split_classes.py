"""What the split tells of many rare classes fits on a screen."""

import numpy as np

from assay.ledger import Ledger
from assay.options import SplitRecipe
from assay.split import make_split


def entries(n_rare: int, **choices) -> list:
    """Split 200 common rows and `n_rare` classes of two rows each."""
    y = np.concatenate([np.arange(200) % 2, np.repeat(np.arange(n_rare), 2) + 2])
    ledger = Ledger()
    make_split(y, SplitRecipe(**choices), seed=0, n_classes=n_rare + 2, ledger=ledger)
    return list(ledger)


def test_a_few_rare_classes_are_told_one_by_one():
    assert [entry.where for entry in entries(5)] == [f"class '{idx + 2}'" for idx in range(5)]


def test_many_rare_classes_are_told_in_one_entry():
    (entry,) = entries(300)
    assert entry.where == "300 classes"
    assert entry.why == (
        "of '2': it has 2 row(s) for 5 folds, so some folds validate without it; "
        "of the others alike"
    )
    assert entry.undo == "split.folds"


def test_many_classes_without_a_training_row_are_told_in_one_entry():
    y = np.concatenate([np.arange(40) % 2, np.arange(20) + 2])
    ledger = Ledger()
    time = np.arange(60)
    recipe = SplitRecipe(folds=2, holdout=0.4, time="t")
    make_split(y, recipe, seed=0, n_classes=22, time=time, ledger=ledger)
    told = [entry for entry in ledger if entry.what == "class left untrained"]
    assert [entry.where for entry in told] == ["20 classes"]
