"""The library's face: train, load, and a model that predicts, evaluates and saves.

Nothing here imports PyTorch until something is trained.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.encode import take_labelled
from assay.errors import UserError
from assay.evaluate.scores import evaluate_predictions
from assay.ledger import Ledger
from assay.modelfile import ModelContents, load_model, make_golden, save_model
from assay.read import read_table
from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names
from assay.schema import Schema
from assay.table import Table

if TYPE_CHECKING:
    from assay.training.loop import Observer


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

    def evaluate(self, table: object) -> dict[str, Any]:
        """Compare predictions with the classes in a table.

        Returns:
            Scores with bootstrap intervals, scores by class and the confusion
            matrix, as plain data.

        Raises:
            UserError: No target column, or a class that the model does not know.
        """
        predictor, ledger = self._contents.predictor, Ledger()
        labelled = read_table(table, self.recipe.read, ledger)
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

    def read(self, table: object, ledger: Ledger | None = None) -> Table:
        """Return a table as `predict` reads it, before columns are matched.

        A table without a header, whose columns the recipe names, may lack the target.

        Args:
            table: As for `predict`.
            ledger: Told what the reader noticed.

        Raises:
            UserError: The table cannot be read, or some row of it cannot: the rows
                that go out are those that came in.
        """
        told = Ledger() if ledger is None else ledger
        strict = self.recipe.read.model_copy(update={"max_bad_rows": 0.0})
        unlabelled = tuple(name for name in strict.names if name != self.target)
        try:
            return read_table(table, strict, told)
        except UserError as error:
            if unlabelled != strict.names:
                with contextlib.suppress(UserError):
                    shorter = strict.model_copy(update={"names": unlabelled})
                    return read_table(table, shorter, told)
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
    from assay.pipeline import run
    from assay.training.loop import Silent

    chosen = choose_recipe(recipe, table)
    chosen = chosen.with_options(options or {})
    if isinstance(target, str):
        chosen = chosen.with_options({"target": target}) if target else chosen
        source = table
    else:
        source = _with_target(table, target, chosen)
        chosen = chosen.with_options({"target": "target"})
    trained = run(source, chosen, test_source=test, observer=observer or Silent())
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
    if Path(name).suffix == ".toml" or Path(name).is_file():
        return Recipe.from_file(name)
    layouts = [load_recipe(name)]
    layouts += [load_recipe(other) for other in recipe_names() if other.startswith(f"{name}_")]
    if len(layouts) > 1:
        unnamed = layouts[0].read.model_copy(update={"names": (), "header": False})
        n_columns = len(read_table(table, unnamed, Ledger()).names)
        layouts.sort(key=lambda layout: len(layout.read.names) != n_columns)
    return layouts[0]


def load(path: str | Path) -> Model:
    """Open a model file; every byte is checked and nothing in it is run as code.

    Raises:
        UserError: The file is absent, no model, damaged, or of a newer format.
    """
    return Model(load_model(path))


def _with_target(table: object, target: object, recipe: Recipe) -> Table:
    import polars as pl

    read = read_table(table, recipe.read, Ledger())
    column = pl.Series("target", np.asarray(target))
    if len(column) != read.n_rows:
        raise UserError(
            f"the target has {len(column)} values, the table {read.n_rows} rows",
            where=read.source,
        )
    return read.with_frame(read.frame.with_columns(column))
