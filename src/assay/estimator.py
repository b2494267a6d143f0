"""The library's face: train a model, load one.

Nothing here imports PyTorch until something is trained.
"""

import contextlib
import math
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.collector import uncollected
from assay.errors import UserError
from assay.ledger import Ledger
from assay.model import Model
from assay.modelfile import ModelContents, load_model, make_golden
from assay.read import NamedBytes, read_table
from assay.recipe import Recipe
from assay.recipes import load_recipe, recipe_names
from assay.run_folder import DEFAULT_EVERY_S, RunFolder, at_work, open_run
from assay.side_process import SideProcess
from assay.table import Table

if TYPE_CHECKING:
    from assay.training.history import Observer

_SMALL_BYTES, _SMALL_ROWS = 8 << 20, 100_000  # fits of more are shared by threads
_FRAMES = {("polars", "DataFrame"), ("pandas", "DataFrame"), ("pyarrow", "Table")}
_COLUMNS = {("polars", "Series"), ("pandas", "Series")}
_LOADED = {"torch", "sklearn"}
_WORKER = "assay.candidates.worker"
# Threads, precision and denormals are settings of the whole process: a second training at the
# same time would compute with those of the first.
_ONE_AT_A_TIME = threading.RLock()
_TARGET = "target"  # name of the column that an array of classes becomes


def train(
    table: object,
    target: str | object = "",
    *,
    recipe: Recipe | str | Path | None = None,
    test: object | None = None,
    options: Mapping[str, Any] | None = None,
    observer: "Observer | None" = None,
    start_s: float | None = None,
    run: "str | Path | RunFolder | None" = None,
    checkpoint_every: float = DEFAULT_EVERY_S,
    resume: bool = False,
) -> Model:
    """Train and judge a classifier.

    Trainings in several threads of a process wait for each other.

    Args:
        table: A path, a database URL, a data frame, a dictionary of columns, or a
            2-D array.
        target: Name of the column to predict, or an array of N classes.
        recipe: A `Recipe`, the path of a TOML file, or the name of a shipped one.
        test: A table of rows to test on that nothing learns from.
        options: Changes to the recipe, such as {"train.epochs": 100}.
        observer: Is told after each epoch.
        start_s: When the work began, by `time.monotonic`, for `train.time`; None for now.
        run: A folder where finished work is kept, so that a training that was killed can
            go on; removed when this returns. None: nothing is kept. A run that was opened
            by the caller stays with it.
        checkpoint_every: Seconds between checkpoints, above 0.
        resume: Whether to go on with the training in `run`, to the same bytes; begins
            where there is none. An unfinished one is an error otherwise.

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
    chosen = choose_recipe(recipe, table)
    chosen = chosen.with_options(options or {})
    if isinstance(target, str):
        chosen = chosen.with_options({"target": target}) if target else chosen
        source = table
    else:
        source = _with_target(table, target, chosen)
        chosen = chosen.with_options({"target": _TARGET})
    if run is None or isinstance(run, RunFolder):
        return _train(source, chosen, test, observer, start_s=start_s, folder=run)
    folder = open_run(
        run,
        recipe=chosen.to_toml(),
        start="resume" if resume else "new",
        every_s=_seconds(checkpoint_every),
        start_s=start_s,
    )
    with at_work(folder):
        return _train(source, chosen, test, observer, start_s=start_s, folder=folder)


def _seconds(every: Any) -> float:
    """Return the seconds between checkpoints.

    Raises:
        UserError: It is no number above 0.
    """
    is_number = isinstance(every, int | float) and not isinstance(every, bool)
    if not is_number or not 0.0 < every < math.inf:
        raise UserError(
            f"{every!r} is no time", where="checkpoint_every", fix="Give seconds, such as 60.0"
        )
    return float(every)


def _train(
    source: object,
    recipe: Recipe,
    test: object | None,
    observer: "Observer | None",
    *,
    start_s: float,
    folder: RunFolder | None,
) -> Model:
    try:
        with _ONE_AT_A_TIME, _beside(source, recipe, folder) as side:
            with uncollected():
                from assay.pipeline import run
                from assay.training.history import Silent

            trained = run(
                source,
                recipe,
                test_source=test,
                observer=observer or Silent(),
                start_s=start_s - (0.0 if folder is None else folder.earlier_s),
                folder=folder,
                side=side,
            )
    except UserError as error:
        if folder is not None:
            folder.note_failure(error)
        raise
    return Model(
        ModelContents(
            predictor=trained.predictor,
            ledger=trained.ledger.to_list(),
            evaluation=trained.evaluation,
            members=trained.members,
            golden=make_golden(trained.predictor, trained.reference.typical()),
            reference=trained.reference,
        )
    )


@contextlib.contextmanager
def _beside(
    source: object, recipe: Recipe, folder: RunFolder | None
) -> Iterator[SideProcess | None]:
    """Yield a process that loads scikit-learn while PyTorch is loaded here, or None.

    Half of what a small table takes is loading the two, and of a larger one the process fits
    a part. Where they are loaded already, or the table is very large, or budgets count what is
    measured and held here, it saves little.
    """
    train = recipe.train
    is_new = not sys.modules.keys() & _LOADED
    has_budget = bool(train.time) or train.memory_bytes is not None
    is_resumed = folder is not None and folder.is_resumed
    is_wanted = is_new and not has_budget and not is_resumed and bool(recipe.model.candidates)
    side = SideProcess.begin(_WORKER) if is_wanted and _is_small(source) else None
    try:
        yield side
    finally:
        if side is not None:
            side.close()


def _is_small(source: object) -> bool:
    """Whether a table is surely of so few rows that another process can help.

    Only kinds are asked that tell it at once; a lazy one would have to be worked out, and
    what is no table at all is told of where it is read.
    """
    if isinstance(source, str | os.PathLike):
        try:
            found = Path(source).stat()
        except (OSError, ValueError, TypeError):  # a database, or nothing
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size <= _SMALL_BYTES
    if isinstance(source, NamedBytes):  # standard input may not have come yet
        return type(source) is NamedBytes and len(source.data) <= _SMALL_BYTES
    if isinstance(source, Table):
        return source.n_rows <= _SMALL_ROWS
    table, n_axes, kinds = source, 2, _FRAMES
    if isinstance(source, dict):
        table, n_axes, kinds = next(iter(source.values()), None), 1, _COLUMNS
    if isinstance(table, np.ndarray):
        return table.ndim == n_axes and len(table) <= _SMALL_ROWS
    kind = type(table).__module__.partition(".")[0], type(table).__name__
    return (isinstance(table, list) or kind in kinds) and len(table) <= _SMALL_ROWS  # type: ignore[arg-type]


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
    _check_order(table, classes)
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


def _check_order(table: object, classes: object) -> None:
    """Refuse classes whose index names the rows of a pandas table in another order."""
    own, other = (getattr(one, "index", None) for one in (table, classes))
    if own is None or other is None or not (hasattr(own, "isin") and hasattr(other, "isin")):
        return
    is_shuffled = False
    with contextlib.suppress(TypeError, ValueError):  # of indexes that are not to be compared
        is_same = own.equals(other) or len(own) != len(other) or bool((own == other).all())
        is_shuffled = not is_same and own.is_unique and bool(own.isin(other).all())
    if is_shuffled:
        raise UserError(
            "the index of the target has the rows in another order than the table",
            where="target",
            fix="Give target.loc[table.index], or target.to_numpy() to pair them as they stand",
        )
