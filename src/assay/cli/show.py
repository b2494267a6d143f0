"""The verb `show`: the card of a model, from its file alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.cli.choices import JsonOption, ModelArgument, QuietOption

_MAX_COLUMNS = 40


def show(
    model_path: ModelArgument, as_json: JsonOption = False, is_quiet: QuietOption = False
) -> None:
    """Tell what a model file holds: its card."""
    from assay.cli.output import say, say_json
    from assay.cli.talk import talking
    from assay.modelfile import telling_of

    with talking(is_quiet=is_quiet):
        card = make_card(model_path)
    if as_json:
        say_json(card)
        return
    with telling_of(model_path):
        lines = _lines(card)
    for line in lines:
        say(line)


def make_card(path: str) -> dict[str, Any]:
    """Return the card of a model file as plain data.

    Raises:
        UserError: The file is absent, no model, damaged, or of a newer format.
    """
    from assay.modelfile import load_model, read_manifest
    from assay.recipe import recipe_changes
    from assay.report.columns import column_list

    contents = load_model(path)
    manifest = read_manifest(path)
    target = contents.predictor.target
    return {
        "file": {
            "path": path,
            "size_bytes": Path(path).stat().st_size,
            "format_version": manifest["format_version"],
            "assay_version": manifest["assay_version"],
        },
        "target": {"name": target.name, "classes": list(target.classes)},
        "columns": column_list(contents),
        "recipe_changes": recipe_changes(contents.predictor.recipe),
        "evaluation": contents.evaluation,
        "ledger": contents.ledger,
    }


def _lines(card: Mapping[str, Any]) -> list[str]:
    from assay.cli.compared import candidate_lines, finding_lines, verdict_lines
    from assay.cli.layout import counted, cut, heading
    from assay.cli.output import one_line
    from assay.cli.render import classes_line, learnt_lines, part_lines

    evaluation, training = card["evaluation"], card["evaluation"]["training"]
    classes, findings = classes_line(evaluation), evaluation.get("findings", ())
    return [
        heading(one_line(card["file"]["path"])),
        f"  target {cut(card['target']['name'])!r}, {classes}",
        f"  trained on {counted(evaluation['n_rows'], 'row')}: "
        f"{counted(training['n_members'], 'network')} of "
        f"{counted(training['n_inputs'], 'input')} and "
        f"{counted(training['n_parameters_per_member'], 'parameter')} each, "
        f"{counted(training['n_epochs_run'], 'epoch')}, seed {training['seed']}",
        f"  {_calibration_words(evaluation['calibration'])}",
        f"  {_file_words(card['file'], training)}",
        "",
        heading("Columns"),
        *_column_lines(card["columns"]),
        "",
        heading("Recipe, where it differs from the default"),
        *_recipe_lines(card["recipe_changes"]),
        *finding_lines(findings),
        *verdict_lines(evaluation),
        *candidate_lines(evaluation),
        *part_lines(evaluation, "validation", is_brief=False),
        *part_lines(evaluation, "test", is_brief=False),
        *learnt_lines(evaluation),
        "",
        heading(f"Ledger: {counted(len(card['ledger']), 'decision')} about the data"),
        *_ledger_lines(card["ledger"]),
    ]


def _calibration_words(calibration: Mapping[str, Any]) -> str:
    if calibration.get("factors"):
        return "probabilities calibrated by a factor and a shift of each class"
    if calibration["temperature"] == 1.0 and calibration["mix"] == 0.0:
        return "probabilities are not calibrated"
    return f"probabilities calibrated with temperature {calibration['temperature']:.3f}"


def _file_words(file: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    kib = file["size_bytes"] / 1024
    size = f"{kib:,.0f} KiB" if kib < 10_240 else f"{kib / 1024:,.1f} MiB"
    return (
        f"{size}, format {file['format_version']}, written by assay {file['assay_version']} "
        f"with torch {training['torch_version']}"
    )


def _column_lines(columns: list[dict[str, Any]]) -> list[str]:
    from assay.cli.layout import cut, cut_apart, table

    listed = columns[:_MAX_COLUMNS]
    rows = [
        [
            name,
            column["kind"],
            column["encoding"],
            f"{column['n_unique']:,}",
            f"{column['n_missing']:,}",
            cut(_origin(column), 80),
        ]
        for name, column in zip(cut_apart([one["name"] for one in listed]), listed, strict=True)
    ]
    header = ["column", "kind", "becomes", "distinct", "missing", "why this kind"]
    lines = table(rows, header=header, numbers=(3, 4))
    n_hidden = len(columns) - len(rows)
    return [*lines, f"  and {n_hidden:,} more: see --json"] if n_hidden else lines


def _origin(column: Mapping[str, Any]) -> str:
    if column["expression"] is None:
        return str(column["reason"])
    return f"derived: {' '.join(column['expression'].split())}"


def _recipe_lines(changes: Mapping[str, Any]) -> list[str]:
    import json

    from assay.cli.layout import cut

    rows = [f"  {key} = {json.dumps(value, ensure_ascii=False)}" for key, value in changes.items()]
    return [f"  {cut(row.strip(), 110)}" for row in rows]


def _ledger_lines(ledger: list[dict[str, str]]) -> list[str]:
    from assay.cli.output import one_line
    from assay.ledger import Entry

    return [f"  {one_line(str(Entry(**entry)))}" for entry in ledger]
