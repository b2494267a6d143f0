"""The columns of a model as plain data: what each is, why, and how it becomes numbers."""

from typing import Any

from assay.modelfile import ModelContents
from assay.report.wording import counted


def column_list(contents: ModelContents) -> list[dict[str, Any]]:
    """Return the columns that a model reads or derives, in order.

    Returns:
        One dictionary each: name; kind; reason; n_missing; n_unique; encoding, in
        words; expression, None but for derived columns.
    """
    preparation = contents.predictor.preparation
    encodings = _encodings(contents)
    raw = preparation.raw_schema.columns
    raw_names, kept = set(preparation.raw_schema.names), set(preparation.schema.names)
    derived = [one for one in preparation.schema.columns if one.name not in raw_names]
    columns = []
    for spec in (*raw, *derived):
        encoding = encodings.get(
            spec.name, "not used" if spec.name in kept else "only derived from"
        )
        columns.append(
            {
                "name": spec.name,
                "kind": str(spec.kind),
                "reason": spec.reason,
                "n_missing": spec.n_missing,
                "n_unique": spec.n_unique,
                "encoding": encoding,
                "expression": preparation.expressions.get(spec.name),
            }
        )
    return columns


def _encodings(contents: ModelContents) -> dict[str, str]:
    """Return in words how each column becomes numbers."""
    encoder, where = contents.predictor.encoder, _binned(contents)
    parts: dict[str, list[str]] = {}
    for number in encoder.numeric:
        scale = f"divided by {number.divisor:g}" if number.scale == "divide" else number.scale
        steps = [f"{scale} scale" if number.scale not in ("divide", "none") else scale]
        steps = ["as it is"] if number.scale == "none" else steps
        steps += [f"{number.n_bins} bins{where}"] if number.n_bins else []
        steps += ["missing flag"] if number.has_flag else []
        is_date = number.part != "value"
        parts.setdefault(number.column, []).extend([number.part] if is_date else steps)
    for level in encoder.categorical:
        width = f" of {level.width}" if level.encoding == "embedding" else ""
        parts[level.column] = [
            f"{level.encoding.replace('_', ' ')}{width}",
            counted(len(level.levels), "level"),
        ]
    for text in encoder.text:
        parts[text.column] = [f"words and n-grams in {text.n_buckets} buckets"]
    return {name: ", ".join(words) for name, words in parts.items()}


def _binned(contents: ModelContents) -> str:
    """Return in words which networks read numbers in bins: nothing where all do."""
    inverse_width = contents.members.get("numeric.inverse_width")
    if inverse_width is None:
        return ""
    n_binned, n_members = int(inverse_width.any(axis=1).sum()), len(inverse_width)
    return f" in {n_binned} of {n_members} networks" if 0 < n_binned < n_members else ""
