"""The verb `verify`: every check of a model file, and what is inside."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from assay.cli.choices import JsonOption, ModelArgument, QuietOption

if TYPE_CHECKING:
    from assay.modelfile import OpenedModel


def verify(
    model_path: ModelArgument, as_json: JsonOption = False, is_quiet: QuietOption = False
) -> None:
    """Check every byte of a model file, replay its golden rows, and tell what is inside."""
    from assay.cli.output import say, say_json
    from assay.cli.talk import talking
    from assay.modelfile import open_model

    with talking(is_quiet=is_quiet):
        found = describe(model_path, open_model(model_path))
    if as_json:
        say_json(found)
    elif not is_quiet:
        for line in _lines(found):
            say(line)


def describe(path: str, opened: "OpenedModel") -> dict[str, Any]:
    """Return what a checked model file holds, as plain data.

    Args:
        path: Of the file.
        opened: It.
    """
    from assay.modelfile import GOLDEN_TOLERANCE

    predictor = opened.contents.predictor
    columns = predictor.preparation.raw_schema.columns
    return {
        "path": path,
        "is_sound": True,
        "size_bytes": opened.size_bytes,
        "format_version": opened.manifest["format_version"],
        "assay_version": opened.manifest["assay_version"],
        "parts": [
            {"name": name, "size_bytes": part["size"], "sha256": part["sha256"]}
            for name, part in opened.manifest["parts"].items()
        ],
        "target": {"name": predictor.target.name, "classes": list(predictor.target.classes)},
        "columns": [{"name": spec.name, "kind": str(spec.kind)} for spec in columns],
        "expressions": dict(predictor.preparation.expressions),
        "core": {
            "n_nodes": opened.core.n_nodes,
            "operators": list(opened.core.operators),
            "n_constants": opened.core.n_constants,
        },
        "golden": {
            "n_rows": len(opened.contents.golden["probabilities"]),
            "worst_difference": opened.worst,
            "tolerance": GOLDEN_TOLERANCE,
        },
    }


def _lines(found: dict[str, Any]) -> list[str]:
    from assay.cli.layout import counted, cut, heading, table
    from assay.cli.output import one_line

    golden, core, classes = found["golden"], found["core"], found["target"]["classes"]
    kinds = Counter(column["kind"] for column in found["columns"])
    named = ", ".join(cut(name, 20) for name in classes[:8])
    rows = [[part["name"], f"{part['size_bytes']:,}", part["sha256"]] for part in found["parts"]]
    return [
        heading(f"{one_line(found['path'])}: sound"),
        f"  format {found['format_version']}, written by assay {found['assay_version']}",
        f"  {found['size_bytes']:,} bytes: the seal and {len(rows)} hashes fit",
        f"  target {cut(found['target']['name'])!r}, {counted(len(classes), 'class')}: {named}"
        + (" and more" if len(classes) > 8 else ""),
        f"  {counted(len(found['columns']), 'column')}: "
        + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())),
        *(
            f"  derived: {cut(name)} = {cut(' '.join(sql.split()), 80)}"
            for name, sql in found["expressions"].items()
        ),
        f"  core graph: {counted(core['n_nodes'], 'node')}, "
        f"{counted(core['n_constants'], 'number')}",
        f"  {counted(golden['n_rows'], 'golden row')} predicted again: worst difference "
        f"{golden['worst_difference']:.1e} (allowed {golden['tolerance']:.0e})",
        "",
        heading("Parts"),
        *table(rows, header=["part", "bytes", "sha256"], numbers=(1,)),
    ]
