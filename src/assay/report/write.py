"""Write a report: HTML, JSON or Markdown, whole or not at all."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from assay.errors import UserError, did_you_mean
from assay.files import atomic_write
from assay.modelfile import ModelContents
from assay.report.context import Document, Subject, make_context
from assay.version import __version__

ReportFormat = Literal["html", "json", "md"]
FORMATS: tuple[ReportFormat, ...] = ("html", "json", "md")

MODEL_ENDING = ".assay"
_JSON_MARK = re.compile(rb'\s*\{\s*"report":\s*\{\s*"format":\s*\d+,\s*"assay_version":')
_MARKED_BYTES = 2_000
_ENDINGS: dict[str, ReportFormat] = {
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".md": "md",
    ".markdown": "md",
}


def render_report(
    contents: ModelContents, form: ReportFormat, *, name: str, assay_version: str = __version__
) -> str:
    """Return the report of a model as text.

    Args:
        contents: Of the model file.
        form: "html", "json" or "md".
        name: File name of the model, for the report to tell.
        assay_version: Release that trained the model.
    """
    return render_reports(contents, [form], name=name, assay_version=assay_version)[0]


def render_reports(
    contents: ModelContents,
    forms: Sequence[ReportFormat],
    *,
    name: str,
    assay_version: str = __version__,
) -> list[str]:
    """Return the report of a model in several forms, as `render_report` does in one."""
    document = make_context(Subject.of(contents, name=name, assay_version=assay_version))
    return [_rendered(document, form) for form in forms]


def _rendered(document: Document, form: ReportFormat) -> str:
    if form == "html":
        from assay.report.html import render_html

        return render_html(document)
    if form == "md":
        from assay.report.markdown import render_markdown

        return render_markdown(document)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def write_report(path: str | Path, text: str, *, model: str | Path | None = None) -> None:
    """Write the text of a report.

    Args:
        path: Where; an older file stays until the new one is complete.
        text: From `render_report`.
        model: The model's own file, which the report may not replace.

    Raises:
        UserError: The place is not writable, or it is the model.
    """
    if is_model(path) or (model is not None and is_same(path, model)):
        raise UserError(
            "the report would overwrite a model", where=str(path), fix="Choose another name"
        )
    with atomic_write(path) as file:
        file.write(text.encode())


def is_model(path: str | Path) -> bool:
    """Whether a name is one of a model file."""
    return Path(path).suffix.lower() == MODEL_ENDING


def is_same(one: str | Path, other: str | Path) -> bool:
    """Whether two names are of one file."""
    try:
        return Path(one).resolve() == Path(other).resolve() or Path(one).samefile(other)
    except OSError:
        return False


def choose_form(asked: str | None, path: str | Path | None) -> ReportFormat:
    """Return the format that is meant: the one asked for, else that of the name, else HTML.

    Raises:
        UserError: There is no such format, or the name tells none.

    Example:
        >>> choose_form(None, "card.md"), choose_form("json", "card.txt"), choose_form(None, None)
        ('md', 'json', 'html')
    """
    if asked is not None:
        for form in FORMATS:
            if asked == form:
                return form
        fix = did_you_mean(asked, FORMATS)
        raise UserError(f"unknown format {asked!r}", where="--format", fix=fix)
    if path is None or str(path) == "-":
        return "html"
    ending = Path(path).suffix.lower()
    if ending not in _ENDINGS:
        raise UserError(
            f"{ending!r} tells no format of a report" if ending else "the name tells no format",
            where=str(path),
            fix=f"End it in {', '.join(('.html', '.json', '.md'))}, or give --format",
        )
    return _ENDINGS[ending]


def default_name(model: str | Path, form: ReportFormat = "html") -> str:
    """Return the name of the report beside a model.

    Example:
        >>> default_name("models/titanic.assay"), default_name("titanic", "md")
        ('models/titanic.html', 'titanic.md')
    """
    text = str(model)
    return f"{text[: -len(MODEL_ENDING)] if is_model(text) else text}.{form}"


def is_report(path: str | Path, form: ReportFormat = "html") -> bool:
    """Whether a file is a report that assay has written; False where there is none.

    A model card that a person has changed is theirs, and no longer ours.
    """
    try:
        with open(path, "rb") as file:
            if form == "md":
                from assay.report.markdown import is_untouched

                return is_untouched(file.read())
            start = file.read(_MARKED_BYTES)
    except OSError:
        return False
    if form == "json":
        return _JSON_MARK.match(start) is not None
    from assay.report.html import MARK

    return MARK.encode() in start


def check_replaceable(path: str | Path, form: ReportFormat) -> None:
    """Refuse to replace a file that nobody named and assay did not write.

    Raises:
        UserError: There is such a file.
    """
    if Path(path).exists() and not is_report(path, form):
        told = "not as assay wrote it" if form == "md" else "assay did not write it"
        raise UserError(
            f"is there already, and {told}",
            where=str(path),
            fix="Give -o FILE to overwrite it, or to choose another name",
        )
