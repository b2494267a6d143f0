"""The verb `resume`: goes on with a training that was cut short."""

import time
from typing import Annotated

import typer

from assay.cli.choices import JsonOption


def resume(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Its folder, such as people.assay.run.")
    ],
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="TABLE",
            envvar="ASSAY_TABLE",
            help="The table again: a URL with a password, or a file that was moved.",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test", metavar="FILE", envvar="ASSAY_TEST", help="The rows to test on again."
        ),
    ] = None,
    as_json: JsonOption = False,
    is_quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Write the path of the model only.")
    ] = False,
) -> None:
    """Go on with a training that was cut short, to the same model file."""
    from dataclasses import replace

    from assay.cli.job import (
        STANDARD,
        Job,
        carry_out,
        compute_as_begun,
        given_again,
        piped_table,
    )
    from assay.cli.output import check_destination, check_no_terminal
    from assay.cli.report import check_report
    from assay.errors import UserError
    from assay.recipe import Recipe
    from assay.run_folder import read_record

    start_s = time.monotonic() - time.process_time()
    record = read_record(run)
    compute_as_begun(run)
    if record.command is None:
        raise UserError(
            "this training was begun in Python",
            where=run,
            fix="Go on with assay.train(..., run=..., resume=True)",
        )
    job = Job.kept(record.command, run)
    masked = job.is_secret
    job = replace(job, table=given_again(job.table, table, what="table", is_masked=masked))
    given_test = context.get_parameter_source("test")
    if job.test is None and given_test is not None and given_test.name == "COMMANDLINE":
        raise UserError(
            "it was begun without a test table",
            where=run,
            fix="Leave --test out, or begin anew with 'assay train --fresh --test FILE'",
        )
    if job.test is not None:
        job = replace(job, test=given_again(job.test, test, what="test", is_masked=masked))
    if job.is_piped:
        check_no_terminal("A model file")
    else:
        check_destination(job.output, inputs=(job.table, job.test))
    check_report(job.report, is_unwanted=False, inputs=(job.table, job.test, job.output))
    recipe = Recipe.from_toml(record.recipe, where=f"{run}/recipe.toml")
    source = piped_table(run, recipe) if job.table == STANDARD else job.table
    carry_out(
        job,
        source,
        recipe,
        start="resume",
        start_s=start_s,
        as_json=as_json,
        is_quiet=is_quiet,
    )
