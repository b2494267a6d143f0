"""The library's face: train, load, and a model that predicts, evaluates and saves.

Nothing here imports PyTorch until something is trained.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.encode import take_labelled
from assay.errors import UserError
from assay.evaluate.scores import evaluate_predictions
from assay.ledger import Ledger
from assay.modelfile import ModelContents, load_model, make_golden, pack, save_model
from assay.options import ReadRecipe
from assay.read import read_table
from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names
from assay.schema import Schema
from assay.table import Table

if TYPE_CHECKING:
    from assay.training.history import Observer

_TARGET = "target"  # name of the column that an array of classes becomes


class Model:
    """A trained classifier.

    Made by `assay.train` or `assay.load`. Tables may be paths, data frames of
    pandas, Polars or PyArrow, dictionaries of columns, or lists of records;
    columns are matched by name.

    Attributes:
        classes: The C classes in the order of the probabilities, in the target's
            own type.
        recipe: The choices it was trained with.
        ledger: The decisions taken about the data.
        evaluation: Scores with intervals, as plain data.
    """

    def __init__(self, contents: ModelContents) -> None:
        self._contents = contents
        self.recipe: Recipe = contents.predictor.recipe
        self.ledger = Ledger.from_list(contents.ledger)
        self.evaluation: dict[str, Any] = contents.evaluation

    @property
    def classes(self) -> np.ndarray:
        """The classes, shape (C,)."""
        return self._contents.predictor.target.label_array()

    @property
    def target(self) -> str:
        """Name of the column that is predicted."""
        return self._contents.predictor.target.name

    @property
    def schema(self) -> Schema:
        """Columns that are read from a table, with their kinds."""
        return self._contents.predictor.preparation.raw_schema

    @property
    def members(self) -> dict[str, np.ndarray]:
        """Weights and fitted statistics of the networks by name, leading axis K."""
        return self._contents.members

    def predict(self, table: object) -> np.ndarray:
        """Return the most probable class of each row, shape (N,).

        Raises:
            UserError: A column is missing, or a cell does not fit its column.
        """
        return self._contents.predictor.predict(self.read(table))

    def predict_proba(self, table: object) -> np.ndarray:
        """Return the probability of each class, shape (N, C), float32.

        Raises:
            UserError: As `predict`.
        """
        return self._contents.predictor.predict_proba(self.read(table))

    def evaluate(self, table: object, *, sql: str = "") -> dict[str, Any]:
        """Compare predictions with the classes in a table.

        Args:
            table: As for `predict`, with the target column.
            sql: Query to run where the table is a database, instead of the recipe's.

        Returns:
            Scores with bootstrap intervals, scores by class and the confusion
            matrix, as plain data.

        Raises:
            UserError: No target column, or a class that the model does not know.
        """
        predictor, ledger = self._contents.predictor, Ledger()
        labelled = read_table(table, self._reading(sql), ledger)
        missing = self.recipe.read.missing
        features, y = take_labelled(labelled, predictor.target, ledger, missing=missing)
        judged = evaluate_predictions(
            y,
            predictor.predict_proba(features),
            predictor.target.classes,
            self.recipe.evaluate,
            seed=self.recipe.seed,
        )
        return {**judged, "ledger": ledger.to_list()}

    def save(self, path: str | Path) -> None:
        """Write the model file, whole or not at all.

        Raises:
            UserError: The place is not writable or the disk is full.
        """
        save_model(path, self._contents)

    def to_bytes(self) -> bytes:
        """Return the bytes that `save` writes."""
        return pack(self._contents)

    def filling_missing(self) -> "Model":
        """Return the same model, to which a column that is absent is all missing."""
        recipe = self.recipe.with_options({"predict.missing_columns": "fill"})
        predictor = replace(self._contents.predictor, recipe=recipe)
        return Model(replace(self._contents, predictor=predictor))

    def _reading(self, sql: str) -> ReadRecipe:
        return self.recipe.read.model_copy(update={"sql": sql} if sql else {})

    def read(self, table: object, ledger: Ledger | None = None, *, sql: str = "") -> Table:
        """Return a table as `predict` reads it, before columns are matched.

        A table without a header, whose columns the recipe names, may lack the target.

        Args:
            table: As for `predict`.
            ledger: Told what the reader noticed.
            sql: Query to run where the table is a database, instead of the recipe's.

        Raises:
            UserError: The table cannot be read, or some row of it cannot: the rows
                that go out are those that came in.
        """
        told = Ledger() if ledger is None else ledger
        strict = self._reading(sql).model_copy(update={"max_bad_rows": 0.0})
        unlabelled = tuple(name for name in strict.names if name != self.target)
        try:
            return read_table(table, strict, told, allow_empty=True)
        except UserError as error:
            if unlabelled != strict.names:
                with contextlib.suppress(UserError):
                    shorter = strict.model_copy(update={"names": unlabelled})
                    return read_table(table, shorter, told, allow_empty=True)
            if "max_bad_rows" not in (error.fix or ""):
                raise
            fix = "Correct the rows: predict answers every row or none"
            raise UserError(error.what, where=error.where, fix=fix) from None


def train(
    table: object,
    target: str | object = "",
    *,
    recipe: Recipe | str | Path | None = None,
    test: object | None = None,
    options: Mapping[str, Any] | None = None,
    observer: "Observer | None" = None,
    start_s: float | None = None,
) -> Model:
    """Train and judge a classifier.

    Args:
        table: A path, a database URL, a data frame, a dictionary of columns, or a
            2-D array.
        target: Name of the column to predict, or an array of N classes.
        recipe: A `Recipe`, the path of a TOML file, or the name of a shipped one.
        test: A table of rows to test on that nothing learns from.
        options: Changes to the recipe, such as {"train.epochs": 100}.
        observer: Is told after each epoch.
        start_s: When the work began, by `time.monotonic`, for `train.time`; None for now.

    Returns:
        The trained model; its `evaluation` holds the scores.

    Raises:
        UserError: Anything about the data or the recipe that the caller can mend.

    Example:
        >>> ages = [float(idx % 50) for idx in range(100)]
        >>> people = {"age": ages, "retired": ["yes" if age > 30 else "no" for age in ages]}
        >>> model = train(people, "retired", options={"train.epochs": 20})
        >>> [str(label) for label in model.predict({"age": [5.0, 58.0]})]
        ['no', 'yes']
    """
    start_s = time.monotonic() if start_s is None else start_s
    from assay.pipeline import run
    from assay.training.history import Silent

    chosen = choose_recipe(recipe, table)
    chosen = chosen.with_options(options or {})
    if isinstance(target, str):
        chosen = chosen.with_options({"target": target}) if target else chosen
        source = table
    else:
        source = _with_target(table, target, chosen)
        chosen = chosen.with_options({"target": _TARGET})
    trained = run(source, chosen, test_source=test, observer=observer or Silent(), start_s=start_s)
    return Model(
        ModelContents(
            predictor=trained.predictor,
            ledger=trained.ledger.to_list(),
            evaluation=trained.evaluation,
            members=trained.members,
            golden=make_golden(trained.predictor, trained.typical),
        )
    )


def choose_recipe(recipe: Recipe | str | Path | None, table: object) -> Recipe:
    """Return the recipe that is meant.

    A shipped recipe may come in several layouts of the same data, such as
    `people` and `people_encoded`; the one whose column names fit the number of
    columns in `table` is taken.

    Args:
        recipe: A `Recipe`, a name, the path of a TOML file, or None for defaults.
        table: The table it is for.

    Raises:
        UserError: No such recipe or file.
    """
    if recipe is None or isinstance(recipe, Recipe):
        return recipe or Recipe()
    name = str(recipe)
    layouts = [find_recipe(name)]
    layouts += [load_recipe(other) for other in recipe_names() if other.startswith(f"{name}_")]
    if len(layouts) > 1:
        unnamed = layouts[0].read.model_copy(update={"names": (), "header": False})
        n_columns = len(read_table(table, unnamed, Ledger()).names)
        layouts.sort(key=lambda layout: len(layout.read.names) != n_columns)
    return layouts[0]


def find_recipe(name: str) -> Recipe:
    """Return a shipped recipe, or that of a TOML file.

    Args:
        name: A shipped name goes first; with a "/" or ".toml" it is a file.

    Raises:
        UserError: No such recipe or file, or one that makes no sense.
    """
    is_path = name.endswith(".toml") or "/" in name or os.sep in name
    if not is_path and (name in recipe_names() or not Path(name).is_file()):
        return load_recipe(name)
    return Recipe.from_file(name)


def load(path: str | Path) -> Model:
    """Open a model file; every byte is checked and nothing in it is run as code.

    Raises:
        UserError: The file is absent, no model, damaged, or of a newer format.
    """
    return Model(load_model(path))


def _with_target(table: object, classes: object, recipe: Recipe) -> Table:
    """Return the table with an array of classes as its column `target`."""
    import polars as pl

    ledger = Ledger()
    read = read_table(table, recipe.read, ledger)
    if len(ledger):
        first = next(iter(ledger))
        raise UserError(
            f"rows or columns were changed while reading: {first}",
            where=read.source,
            fix="Name a target column of the table instead of giving an array",
        )
    values = np.asarray(classes)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) != read.n_rows:
        raise UserError(
            f"the target has shape {values.shape}, the table {read.n_rows} rows",
            where=read.source,
            fix="Give one class for each row",
        )
    if _TARGET in read.names:
        raise UserError(
            f"the table has a column {_TARGET!r} already",
            where=read.source,
            fix="Rename it, or name the target column instead of giving an array",
        )
    cells = [None if value is None or value != value else value for value in values.tolist()]
    return read.with_frame(read.frame.with_columns(pl.Series(_TARGET, cells, strict=False)))
