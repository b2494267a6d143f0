"""The verb `train`: a table in, a model file and its scores out."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from assay.cli.choices import JsonOption, RecipeOption, SetOption, SqlOption, TableArgument
from assay.cli.decided import CostOption
from assay.errors import UserError

if TYPE_CHECKING:
    from assay.model import Model
    from assay.read import NamedBytes
    from assay.recipe import Recipe
    from assay.run_folder import RunFolder, Start

_STANDARD_OUTPUT = "-"
_COMPRESSED = (".gz", ".zst")


def train(
    table: TableArgument,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="COLUMN", help="The column to predict."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Model file, - for standard output; default: TABLE.assay.",
        ),
    ] = None,
    recipe: RecipeOption = None,
    settings: SetOption = None,
    test: Annotated[
        str | None,
        typer.Option("--test", metavar="FILE", help="Rows to test on that nothing learns from."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Seed of every random choice.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="COLUMN", help="Rows equal in it stay together."),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option("--time-column", metavar="COLUMN", help="Test on rows that are later in it."),
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            "--time",
            metavar="TIME",
            help="End within this time, such as 90s, 10m or 1h30m. "
            "A name that begins with a letter is read as --time-column.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="SIZE", help="Stay below this memory, such as 4G."),
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(
            "--prefer",
            metavar="NAME",
            help="What ships: accuracy, simple, network, boosting or logistic.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", metavar="NAME", help="Compare candidates by it; default: log_loss."
        ),
    ] = None,
    cost: CostOption = None,
    sql: SqlOption = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write this report alone; default: HTML, JSON and a model card beside the model.",
        ),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="DIR",
            help="Keep finished work in this folder until the model is written; "
            "default: beside the model, MODEL.run.",
        ),
    ] = None,
    every: Annotated[
        str,
        typer.Option(
            "--checkpoint-every",
            metavar="TIME",
            help="How often to keep it; less often where that takes over 2 % of the time.",
        ),
    ] = "60s",
    is_resumed: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished training, if there is one.")
    ] = False,
    is_fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw an unfinished training away and begin anew.")
    ] = False,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Write the path of the model only.")
    ] = False,
) -> None:
    """Train and test a classifier, write a model file."""
    from assay.cli.choices import make_recipe, open_source
    from assay.cli.cost_file import blaming, read_cost_file
    from assay.cli.job import Job, carry_out, check_run, compute_as_begun, default_run
    from assay.cli.output import check_destination, check_no_terminal
    from assay.cli.report import check_report

    start_s = time.monotonic() - time.process_time()  # the process itself took a while
    time_column, time_budget = which_time(time_column, time_budget)
    start, every_s = which_start(is_resumed=is_resumed, is_fresh=is_fresh), seconds_of(every)
    path = output or model_name(table)
    if is_resumed:
        compute_as_begun(run or default_run(table, path))
    if path == _STANDARD_OUTPUT:
        check_no_terminal("A model file")
    else:
        check_destination(path, inputs=(table, test, recipe, cost))
    check_report(report, is_unwanted=no_report, inputs=(table, test, recipe, cost, path))
    check_run(run, others=(table, test, recipe, cost, report), model=path)
    shortcuts = {
        "target": target,
        "seed": seed,
        "split.group": group,
        "split.time": time_column,
        "train.time": time_budget,
        "train.memory": memory,
        "model.prefer": prefer,
        "evaluate.metric": metric,
        "read.sql": sql,
        "train.device": device,
    }
    source = open_source(table)
    chosen = make_recipe(source, recipe, settings, shortcuts=shortcuts)
    with blaming(cost):
        if cost is not None:
            chosen = chosen.with_options({"decide.cost": read_cost_file(cost)})
        job = Job(
            table, path, test, report, not no_report, run or default_run(table, path), every_s
        )
        carry_out(
            job, source, chosen, start=start, start_s=start_s, as_json=as_json, is_quiet=quiet
        )


def which_start(*, is_resumed: bool, is_fresh: bool) -> "Start":
    """Return how a training treats an unfinished one in its folder.

    Raises:
        UserError: Two ways were given.
    """
    if is_resumed and is_fresh:
        raise UserError("--resume and --fresh contradict each other", fix="Choose one")
    if is_fresh:
        return "fresh"
    return "resume" if is_resumed else "new"


def seconds_of(every: str) -> float:
    """Return the seconds between checkpoints.

    Raises:
        UserError: The text is no time.

    Example:
        >>> seconds_of("5m")
        300.0
    """
    from assay.amounts import parse_duration

    try:
        return parse_duration(every)
    except ValueError as error:
        raise UserError(str(error), where="option --checkpoint-every") from None


def which_time(column: str | None, budget: str | None) -> tuple[str | None, str | None]:
    """Return the column of time and the budget of time that are meant.

    Before there were budgets `--time` named the column, and it still may.

    Args:
        column: Value of `--time-column`.
        budget: Value of `--time`; the name of a column begins with a letter, "_" or a quote.

    Raises:
        UserError: Two columns were given.

    Example:
        >>> which_time(None, "10m"), which_time(None, "year"), which_time("year", "90s")
        ((None, '10m'), ('year', None), ('year', '90s'))
    """
    if budget is None:
        return column, None
    first = budget.strip()[:1]
    is_name = first.isalpha() or first in ("_", '"', "'", "`")
    if first.isdigit():
        return column, budget
    if column is not None or not is_name:
        raise UserError(
            f"{budget!r} is not a time such as 90s, 10m or 1h30m", where="option --time"
        )
    return budget, None


def train_and_save(
    table: "str | NamedBytes",
    recipe: "Recipe",
    path: str,
    *,
    test: str | None,
    is_quiet: bool,
    start_s: float | None = None,
    run: "RunFolder | None" = None,
) -> "Model":
    """Train on a table and write the model file, telling how it goes on.

    Args:
        table: A path, a database URL, or what standard input held.
        recipe: All choices.
        path: Of the model file; "-" is standard output.
        test: Rows to test on, or None.
        is_quiet: Whether to tell nothing.
        start_s: When the command began, by `time.monotonic`, for `train.time`.
        run: Where finished work is kept, or None.

    Raises:
        UserError: Anything about the table, the recipe or the place to write to.
    """
    from assay.cli.output import write_bytes
    from assay.cli.progress import make_reporter
    from assay.cli.talk import talking

    with talking(is_quiet=is_quiet):
        with contextlib.closing(make_reporter(is_quiet=is_quiet)) as reporter:
            from assay.estimator import train as fit

            model = fit(
                table, recipe=recipe, test=test, observer=reporter, start_s=start_s, run=run
            )
        if path == _STANDARD_OUTPUT:
            write_bytes([model.to_bytes()])
        else:
            model.save(path)
    return model


def model_name(table: str) -> str:
    """Return the default name of the model of a table, in the current folder.

    Example:
        >>> model_name("data/people.csv.gz"), model_name("-")
        ('people.assay', 'model.assay')
        >>> model_name("postgresql://reader@host/sales?sslmode=require")
        'sales.assay'
    """
    if table == "-":
        return "model.assay"
    name = Path(urlsplit(table).path if "://" in table else table).name
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    return f"{Path(name).stem or 'model'}.assay"


def as_document(model: "Model", path: str, report: Sequence[str]) -> dict[str, Any]:
    """Return all that is told of a trained model, as plain data.

    Args:
        model: Trained.
        path: Of the model file; "-" for standard output.
        report: Where the report and its twins are.
    """
    return {
        "model": path,
        "evaluation": model.evaluation,
        "ledger": model.ledger.to_list(),
        "report": report[0] if report else None,
        "reports": list(report),
    }
