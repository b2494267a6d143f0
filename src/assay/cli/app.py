"""The verbs of the command and the options that stand before them."""

from typing import Annotated

import typer

from assay.cli.demo import demo
from assay.cli.evaluate import evaluate
from assay.cli.explain import explain
from assay.cli.inspect import inspect
from assay.cli.predict import predict
from assay.cli.recipe import recipe
from assay.cli.report import report
from assay.cli.resume import resume
from assay.cli.show import show
from assay.cli.train import train
from assay.cli.verify import verify
from assay.version import __version__

app = typer.Typer(
    name="assay",
    help="Train classifiers on tables, test them honestly, and keep one safe file.",
    epilog="Start with: assay demo titanic",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"assay {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _before(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the release and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


for _verb in (
    train,
    resume,
    predict,
    evaluate,
    explain,
    inspect,
    show,
    verify,
    report,
    recipe,
    demo,
):
    app.command()(_verb)
