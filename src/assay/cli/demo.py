"""The verb `demo`: a whole job on a table that ships with assay, in one folder."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.choices import JsonOption
from assay.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from assay.model import Model

_N_PASSENGERS = 10
_PERSON = {"sex": "M", "age": 30, "state": "oklahoma", "income": 50_000}


def demo(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="titanic or people; none: list them.")
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--folder", metavar="FOLDER", help="Default: assay-demo-NAME, here."),
    ] = None,
    as_json: JsonOption = False,
    is_quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Do a whole job on a table that ships with assay."""
    from assay.cli.output import say_json
    from assay.cli.talk import talking

    if name is None:
        _say_known(as_json=as_json)
        return
    if name not in _DEMOS:
        raise UserError(f"there is no demo {name!r}", fix=did_you_mean(name, _DEMOS))
    place = Path(folder or f"assay-demo-{name}")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder: {error.strerror}", where=str(place)) from None
    shown = contextlib.redirect_stdout(io.StringIO()) if as_json else contextlib.nullcontext()
    with talking(is_quiet=is_quiet), shown:
        model, files = _DEMOS[name][1](place, is_quiet)
    if not as_json:
        return
    say_json({"files": [str(file) for file in files], "evaluation": model.evaluation})


def _say_known(*, as_json: bool) -> None:
    from assay.cli.output import say, say_json

    if as_json:
        say_json([{"name": name, "about": about} for name, (about, _) in _DEMOS.items()])
        return
    for name, (about, _) in _DEMOS.items():
        say(f"{name:<8}  {about}")


def _titanic(folder: Path, is_quiet: bool) -> "tuple[Model, list[Path]]":
    import polars as pl

    from assay.datasets import path as shipped_path

    data = shipped_path("titanic").read_bytes()
    table, some = folder / "titanic.csv", folder / "passengers.csv"
    _write(table, data)
    passengers = pl.read_csv(data, infer_schema=False).drop("Survived").head(_N_PASSENGERS)
    _write(some, passengers.write_csv().encode())
    model = _train(table, "titanic", folder, test=None, is_quiet=is_quiet)

    out = folder / "predictions.csv"
    frame = _predict(model, folder / "titanic.assay", some, out, ["Name", "label", "proba"])
    _say_frame(frame)
    _say_accuracy(model, "validation", "rows it had left out")
    files = _existing(table, some, *_written(folder, "titanic"), out)
    _say_files(files)
    return model, files


def _people(folder: Path, is_quiet: bool) -> "tuple[Model, list[Path]]":
    import json

    from assay.cli.decided import decided
    from assay.cli.output import say
    from assay.cli.predict import answer
    from assay.datasets import make_people

    table, test = folder / "people_train.csv", folder / "people_test.csv"
    for path, frame in zip((table, test), make_people(), strict=True):
        _write(path, frame.write_csv().encode())
    model = _train(table, "people", folder, test=test, is_quiet=is_quiet)

    out = folder / "predictions.csv"
    _predict(model, folder / "people.assay", test, out, ["politics", "label", "proba"])
    _show_command("predict", folder / "people.assay", "--record", json.dumps(_PERSON))
    (told,) = answer(model, decided(model, model.predict_proba([_PERSON]), None))
    say(json.dumps(told, indent=2))
    _say_accuracy(model, "test", "the test rows")
    files = _existing(table, test, *_written(folder, "people"), out)
    _say_files(files)
    return model, files


_DEMOS: dict[str, tuple[str, Callable[[Path, bool], "tuple[Model, list[Path]]"]]] = {
    "titanic": ("who survived: 891 passengers, gaps, names, 20 networks", _titanic),
    "people": ("how people vote: 200 invented people and 40 to test on, 32 networks", _people),
}


def _train(table: Path, recipe: str, folder: Path, *, test: Path | None, is_quiet: bool) -> "Model":
    """Train as `assay train` does, and show the command."""
    import time

    from assay.cli.choices import make_recipe
    from assay.cli.output import say
    from assay.cli.report import report_after_training
    from assay.cli.summary import summary_lines
    from assay.cli.train import train_and_save

    path = str(folder / f"{recipe}.assay")
    testing = () if test is None else ("--test", test)
    _show_command("train", table, "--recipe", recipe, *testing, "-o", path)
    start_s = time.monotonic()
    chosen = make_recipe(str(table), recipe, (), shortcuts={})
    tested = None if test is None else str(test)
    model = train_and_save(str(table), chosen, path, test=tested, is_quiet=is_quiet)
    report = report_after_training(model, path, None)
    elapsed_s = time.monotonic() - start_s
    for line in summary_lines(model, str(table), path, report=report, elapsed_s=elapsed_s):
        say(line)
    say()
    return model


def _predict(
    model: "Model", model_path: Path, table: Path, out: Path, names: list[str]
) -> "pl.DataFrame":
    """Predict as `assay predict` does, and show the command."""
    from assay.cli.decided import decided
    from assay.cli.output import tell
    from assay.cli.predict import predictions, read_rows

    _show_command("predict", model_path, table, "--columns", ",".join(names), "-o", out)
    rows = read_rows(model, str(table), tell)
    frame = predictions(model, rows, decided(model, model.predict_proba(rows), None), names)
    _write(out, frame.write_csv().encode())
    return frame


def _say_accuracy(model: "Model", part: str, where: str) -> None:
    from assay.cli.layout import counted, ranged
    from assay.cli.output import say

    members: dict[str, Any] = model.evaluation[part]["members"]
    n_members = counted(model.evaluation["training"]["n_members"], "network")
    say()
    say(
        f"Accuracy of one network on {where}: {ranged(members['accuracy'], 'mean')}, "
        f"lowest and highest of {n_members}."
    )
    say("One training alone would have told you one number out of that range.")


def _say_frame(frame: "pl.DataFrame") -> None:
    from assay.cli.layout import cut, figure, table
    from assay.cli.output import say

    rows = [
        [figure(cell) if isinstance(cell, float) else cut(str(cell), 36) for cell in row]
        for row in frame.iter_rows()
    ]
    for line in table(rows, header=frame.columns):
        say(line)


def _show_command(*words: str | Path) -> None:
    import shlex

    from assay.cli.layout import heading
    from assay.cli.output import say

    say(heading(f"$ {shlex.join(['assay', *(str(word) for word in words)])}"))


def _written(folder: Path, recipe: str) -> list[Path]:
    return [folder / f"{recipe}.{ending}" for ending in ("assay", "html", "json", "md")]


def _existing(*paths: Path) -> list[Path]:
    return [path for path in paths if path.exists()]


def _say_files(paths: list[Path]) -> None:
    from assay.cli.output import say

    say()
    say("Written:")
    for path in paths:
        say(f"  {path}")


def _write(path: Path, data: bytes) -> None:
    from assay.files import atomic_write

    with atomic_write(path) as file:
        file.write(data)
