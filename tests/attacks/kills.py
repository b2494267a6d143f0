"""Trainings to kill: small tables of every kind of column, and recipes for them.

Comes in: a folder and a name. Goes out: a table, the options of a training that has
networks, boosting, logistic regression and their blend, and what a kill left behind.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from assay.state_file import read_state

_SEED = 6_101

TRAININGS: Mapping[str, tuple[str, ...]] = {
    "mixed": ("split.folds=4", "split.repeats=1"),
    "classes": ("train.optimizer=sgd", "train.momentum=0.9", "split.folds=3"),
    "grouped": ("split.group=person", "train.sample_weight=weight", "split.folds=3"),
    "held_out": ("split.holdout=0.2", "model.dropout=0", "train.class_weight=balanced"),
}
"""Options of `--set` by the name of a training; the networks are narrow in all of them."""

NARROW = ("model.hidden=[32, 32]", "train.patience=0", "evaluate.bootstrap=200")


def make_table(name: str, folder: Path, *, n_rows: int = 400) -> Path:
    """Write the table of a training: numbers with gaps, levels, texts, copies of rows."""
    rng = np.random.default_rng([_SEED, len(name)])
    n_classes = 3 if name == "classes" else 2
    y = rng.integers(0, n_classes, n_rows)
    words = np.array(["bad", "fine", "great"])
    columns = {
        "x": (rng.normal(size=n_rows) + y).round(3),
        "gaps": np.where(
            rng.random(n_rows) < 0.2, "", (rng.integers(0, 30, n_rows) + 3 * y).astype(str)
        ),
        "few": rng.choice(["a", "b", "c"], n_rows),
        "many": [f"level {one}" for one in rng.integers(0, 40, n_rows)],
        "note": [f"a {words[c]} thing number {i % 90}" for i, c in enumerate(y)],
        "person": [f"p{one}" for one in rng.integers(0, n_rows // 4, n_rows)],
        "weight": rng.integers(1, 4, n_rows),
        "kind": [f"class {c}" for c in np.where(rng.random(n_rows) < 0.1, 0, y)],
    }
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:  # before a fork: no Polars
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def arguments(name: str, table: Path, model: Path, *, n_epochs: int = 300) -> list[str]:
    """Return the arguments of `assay` that train it."""
    options = (*NARROW, *TRAININGS[name], f"train.epochs={n_epochs}")
    chosen = [f"--set={option}" for option in options]
    args = ["train", str(table), "--target", "kind", "-o", str(model), "--quiet"]
    return [*args, "--checkpoint-every", "0.2s", *chosen]


def stage_of(model: Path) -> str:
    """Return how far a killed training had come, by what it left behind."""
    folder = Path(f"{model}.run")
    if not (folder / "run.state").exists():
        return "removing the run" if model.exists() else "starting"
    if model.exists():
        return "writing the report"
    if (folder / "training.state").exists():
        state = read_state(folder / "training.state")
        is_over = state is not None and state[1]["document"].get("is_finished", False)
        return "judging and saving" if is_over else "training networks"
    if (folder / "boosting.state").exists():
        return "beginning with networks"
    return "fitting boosting" if (folder / "logistic.state").exists() else "reading and logistic"


def litter(model: Path) -> list[str]:
    """Return names beside a finished model that should be gone."""
    names = [entry.name for entry in model.parent.iterdir()]
    return sorted(name for name in names if name.endswith((".run", ".part")))
