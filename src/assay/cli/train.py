"""The verb `train`: a table in, a model file and its scores out."""

import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
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

_STANDARD_OUTPUT = "-"
_MAX_DECISIONS = 1
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
            help="Where the report goes; default: beside the model, as HTML.",
        ),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Write the path of the model only.")
    ] = False,
) -> None:
    """Train and test a classifier, write a model file."""
    from assay.cli.choices import make_recipe, open_source
    from assay.cli.cost_file import blaming, read_cost_file
    from assay.cli.output import check_destination, check_no_terminal, say, say_json
    from assay.cli.report import check_report, report_after_training

    start_s = time.monotonic() - time.process_time()  # the process itself took a while
    time_column, time_budget = which_time(time_column, time_budget)
    path = output or model_name(table)
    is_piped = path == _STANDARD_OUTPUT
    if is_piped:
        check_no_terminal("A model file")
    else:
        check_destination(path, inputs=(table, test, recipe, cost))
    check_report(report, is_unwanted=no_report, inputs=(table, test, recipe, cost, path))
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
        model = train_and_save(source, chosen, path, test=test, is_quiet=quiet, start_s=start_s)
    written = None if no_report else report_after_training(model, path, report)
    if as_json:
        say_json({**as_document(model, path), "report": written}, is_aside=is_piped)
    elif not quiet:
        elapsed_s = time.monotonic() - start_s
        for line in summary_lines(model, table, path, report=written, elapsed_s=elapsed_s):
            say(line, is_aside=is_piped)
    elif not is_piped:
        say(path)


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
) -> "Model":
    """Train on a table and write the model file, telling how it goes on.

    Args:
        table: A path, a database URL, or what standard input held.
        recipe: All choices.
        path: Of the model file; "-" is standard output.
        test: Rows to test on, or None.
        is_quiet: Whether to tell nothing.
        start_s: When the command began, by `time.monotonic`, for `train.time`.

    Raises:
        UserError: Anything about the table, the recipe or the place to write to.
    """
    from assay.cli.output import write_bytes
    from assay.cli.progress import make_reporter
    from assay.cli.talk import talking

    with talking(is_quiet=is_quiet):
        with contextlib.closing(make_reporter(is_quiet=is_quiet)) as reporter:
            from assay.estimator import train as fit

            model = fit(table, recipe=recipe, test=test, observer=reporter, start_s=start_s)
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


def as_document(model: "Model", path: str) -> dict[str, Any]:
    """Return all that is told of a trained model, as plain data."""
    return {"model": path, "evaluation": model.evaluation, "ledger": model.ledger.to_list()}


def summary_lines(
    model: "Model", table: str, path: str, *, elapsed_s: float, report: str | None = None
) -> list[str]:
    """Return what a person wants to know after a training."""
    from assay.amounts import duration_text
    from assay.cli.compared import candidate_lines, finding_lines, shipped_lines, verdict_lines
    from assay.cli.layout import counted, cut, heading
    from assay.cli.output import one_line
    from assay.cli.render import classes_line, learnt_lines, part_lines

    evaluation, training = model.evaluation, model.evaluation["training"]
    classes = classes_line(evaluation)
    n_features = len(model.schema.features)
    lines = [
        f"{shown_source(table)}: {counted(evaluation['n_rows'], 'row')} to learn from, "
        f"{counted(n_features, 'column')} read",
        f"target {cut(model.target)!r}, {classes}",
        *ledger_lines(model.ledger.to_list(), path),
        f"{counted(training['n_members'], 'network')} of "
        f"{counted(training['n_inputs'], 'input')}, "
        f"{counted(training['n_epochs_run'], 'epoch')}, {duration_text(elapsed_s)}",
        *finding_lines(evaluation.get("findings", ()), is_brief=True),
        *(candidate_lines(evaluation) or part_lines(evaluation, "validation", is_brief=True)),
        *([] if "candidates" in evaluation else shipped_lines(evaluation)),
        *part_lines(evaluation, "test", is_brief=True),
        *verdict_lines(evaluation),
    ]
    if "validation" not in evaluation:
        lines += learnt_lines(evaluation)
    place = "to standard output" if path == _STANDARD_OUTPUT else one_line(path)
    if report is not None:
        place += f" and {one_line(report)}"
    return [*lines, "", f"{heading('Written')} {place}"]


def ledger_lines(ledger: Sequence[Mapping[str, str]], path: str) -> list[str]:
    """Return the first decisions about the data, one a line, and how many more there are."""
    from assay.cli.layout import GAP, counted, cut
    from assay.cli.output import one_line
    from assay.ledger import Entry

    if not ledger:
        return ["no decision was taken about the data: every cell is used as it stands"]
    shown = ledger[:_MAX_DECISIONS]
    lines = [f"{counted(len(ledger), 'decision')} about the data:"]
    room = shutil.get_terminal_size().columns - len(GAP)
    lines += [GAP + cut(str(Entry(**entry)), max(room, 20)) for entry in shown]
    if len(ledger) > len(shown):
        model = "MODEL" if path == _STANDARD_OUTPUT else one_line(path)
        lines.append(f"  and {len(ledger) - len(shown):,} more: assay show {model}")
    return lines


def shown_source(table: str) -> str:
    """Return how a table is called, without the password of a database.

    Example:
        >>> shown_source("postgresql://reader:secret@host/sales"), shown_source("-")
        ('postgresql://reader:***@host/sales', 'standard input')
    """
    from assay.cli.output import one_line
    from assay.read.database import mask_password

    return "standard input" if table == "-" else one_line(mask_password(table))
