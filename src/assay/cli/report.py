"""The verb `report`: a model file in, its report out."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.choices import ModelArgument, QuietOption

if TYPE_CHECKING:
    from assay.model import Model

_STANDARD_OUTPUT = "-"


def report(
    model_path: ModelArgument,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write, - for standard output; default: beside MODEL.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="html (default), json or md: a model card."),
    ] = None,
    is_quiet: QuietOption = False,
) -> None:
    """Write the report of a model: one page that opens offline, JSON, or a model card."""
    from assay.cli.output import check_destination, say, write_bytes
    from assay.cli.talk import talking
    from assay.modelfile import load_model, read_manifest, telling_of
    from assay.report.write import (
        check_replaceable,
        choose_form,
        default_name,
        render_report,
        write_report,
    )

    chosen = choose_form(form, output)
    path = output or default_name(model_path, chosen)
    if path != _STANDARD_OUTPUT:
        check_destination(path, inputs=(model_path,))
    if not output:
        check_replaceable(path, chosen)
    with talking(is_quiet=is_quiet):
        contents = load_model(model_path)
        version, name = read_manifest(model_path)["assay_version"], Path(model_path).name
        with telling_of(model_path):
            text = render_report(contents, chosen, name=name, assay_version=version)
    if path == _STANDARD_OUTPUT:
        write_bytes([text.encode()])
        return
    write_report(path, text, model=model_path)
    say(path if is_quiet else f"Written {path}")


def check_report(report_path: str | None, *, is_unwanted: bool, inputs: tuple[object, ...]) -> None:
    """Refuse a report that cannot be written, before the work is done.

    Args:
        report_path: Value of `--report`, or None.
        is_unwanted: Whether `--no-report` was given.
        inputs: What is read or written otherwise; the report may be none of these.

    Raises:
        UserError: Both options were given, the name is that of a model or tells no
            format, or the place is not writable.
    """
    from assay.cli.output import check_destination
    from assay.errors import UserError
    from assay.report.write import choose_form, is_model, is_same

    if report_path is None:
        return
    if is_unwanted:
        raise UserError("--report and --no-report contradict each other", fix="Choose one")
    if is_model(report_path) or any(
        isinstance(one, str) and is_same(report_path, one) for one in inputs
    ):
        raise UserError(
            "the report would overwrite another file", where=report_path, fix="Choose another name"
        )
    choose_form(None, report_path)
    check_destination(report_path, inputs=inputs)


def report_after_training(model: "Model", path: str, report_path: str | None) -> list[str]:
    """Write the report of a model that was just trained; a failure is told, never raised.

    All faces are rendered before the first is written, and each is written whole or not.

    Args:
        model: Trained, and already written.
        path: Of the model file; "-" for standard output.
        report_path: Value of `--report`, which is then the only one; None for the page, its
            JSON twin and the model card, beside the model.

    Returns:
        Where the report is: the files written, the page first.
    """
    from assay.cli.output import tell
    from assay.errors import UserError

    chosen = _beside(path) if report_path is None else [report_path]
    if not chosen:
        return []
    try:
        model.report(*chosen, name=Path(path).name)
    except UserError as error:
        tell(f"the model is kept, but its report cannot be written: {error}")
        return []
    except Exception as error:  # whatever it is, the training is not lost for it
        _trace(error)
        tell(
            f"the model is kept, but its report failed ({type(error).__name__}: {error}). "
            "Please report it; ASSAY_DEBUG=1 tells where"
        )
        return []
    return chosen


def _beside(path: str) -> list[str]:
    """Return the names beside a model that are free, or hold what assay wrote there before."""
    from assay.cli.output import tell
    from assay.report.write import FORMATS, default_name, is_report

    if path == _STANDARD_OUTPUT:
        return []
    found = []
    for form in FORMATS:
        name = default_name(path, form)
        if Path(name).exists() and not is_report(name, form):
            what = "the model card was changed" if form == "md" else "is no report of assay"
            told = f"{name}: {what} and stays"
            tell(f"{told}; give --report FILE for another name")
        else:
            found.append(name)
    return found


def _trace(error: Exception) -> None:
    import os
    import traceback

    if os.environ.get("ASSAY_DEBUG", "") not in ("", "0"):
        with contextlib.suppress(Exception):
            traceback.print_exception(error)
